import { crc32 } from 'node:zlib'
import type { SourceTree, SourceZnode } from './source-tree.ts'

/** The form of digests that is known here (DigestCalculator of 3.9.5). */
export const TREE_DIGEST_VERSION = 2

/** Whatever stands here is kept by each server for itself, and in no digest. */
const UNCOUNTED = '/zookeeper/'
const STAT_BYTES = 60

/** ZooKeeper's sum over a tree: equal to what its log says, if and only if the tree is what it was. */
export function treeDigest(tree: SourceTree): bigint {
  let sum = 0n
  const stat = Buffer.alloc(STAT_BYTES)
  for (const [path, znode] of tree.znodes) {
    if (path.startsWith(UNCOUNTED)) continue
    writeStat(stat, znode)
    const named = crc32(path === '/' ? '' : path)
    const written = znode.data === null ? named : crc32(znode.data, named)
    sum += BigInt(crc32(stat, written))
  }
  return BigInt.asIntN(64, sum)
}

function writeStat(stat: Buffer, znode: SourceZnode): void {
  stat.writeBigInt64BE(BigInt(znode.czxid), 0)
  stat.writeBigInt64BE(BigInt(znode.mzxid), 8)
  stat.writeBigInt64BE(BigInt(znode.pzxid), 16)
  stat.writeBigInt64BE(BigInt(znode.ctimeMs), 24)
  stat.writeBigInt64BE(BigInt(znode.mtimeMs), 32)
  stat.writeInt32BE(znode.version, 40)
  stat.writeInt32BE(znode.creations, 44)
  stat.writeInt32BE(znode.aversion, 48)
  stat.writeBigInt64BE(znode.owner, 52)
}
