import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Below the ports that Linux and macOS give to outgoing connections, so that no connection of a
 * test sits on a port while its server is down between two starts.
 */
const FIRST_PORT = 20_000
const PORT_COUNT = 10_000
const BLOCK = 20

const reservations = join(tmpdir(), 'quorate-test-ports')
const held = new Set<string>()
process.once('exit', () => {
  for (const file of held) rmSync(file, { force: true })
})

/**
 * `count` ports of the loopback that stay this process's until it exits: a file per block of ports
 * reserves them against other test processes, which could take them between two starts of a server.
 */
export async function reservePorts(count: number): Promise<number[]> {
  mkdirSync(reservations, { recursive: true })
  const ports: number[] = []
  const blocks = PORT_COUNT / BLOCK
  const start = Math.floor(Math.random() * blocks)
  for (let i = 0; i < blocks && ports.length < count; i++) {
    const base = FIRST_PORT + ((start + i) % blocks) * BLOCK
    if (!reserveBlock(base)) continue
    for (let port = base; port < base + BLOCK && ports.length < count; port++) {
      if (await isFree(port)) ports.push(port)
    }
  }
  if (ports.length < count) throw new Error(`no ${count} free ports from ${FIRST_PORT}`)
  return ports
}

function reserveBlock(base: number): boolean {
  const file = join(reservations, String(base))
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' })
      held.add(file)
      return true
    } catch {
      if (isAlive(ownerOf(file))) return false
      rmSync(file, { force: true })
    }
  }
  return false
}

function ownerOf(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return 0
  }
}

function isAlive(pid: number): boolean {
  if (pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
