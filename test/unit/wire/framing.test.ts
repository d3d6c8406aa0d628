import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameSplitter } from '../../../server/wire/framing.ts'
import { framed, fromHex, toHex } from './hex.ts'

const MAX = 200_000

function feed(splitter: FrameSplitter, chunks: readonly Uint8Array[]): string[] {
  const frames: string[] = []
  for (const chunk of chunks) {
    splitter.push(chunk)
    for (let frame = splitter.next(); frame !== null; frame = splitter.next()) {
      frames.push(toHex(frame))
    }
  }
  return frames
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

describe('FrameSplitter', () => {
  it('gives the same frames however the stream is cut', () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 8 })
    fc.assert(
      fc.property(payloads, fc.array(fc.integer({ min: 1, max: 40 })), (frames, cuts) => {
        const stream = joined(frames.map(framed))
        const chunks: Uint8Array[] = []
        let at = 0
        for (const cut of cuts) {
          chunks.push(stream.slice(at, at + cut))
          at += cut
        }
        chunks.push(stream.slice(at))
        const splitter = new FrameSplitter(MAX)
        expect(feed(splitter, chunks)).toEqual(frames.map(toHex))
        expect(splitter.failure).toBeNull()
        expect(splitter.pendingBytes).toBe(0)
      }),
    )
  })

  it('gathers a frame larger than its first buffer', () => {
    const payload = new Uint8Array(MAX).map((_, i) => i % 251)
    const stream = framed(payload)
    const chunks = [stream.slice(0, 3), stream.slice(3, 70_000), stream.slice(70_000)]
    expect(feed(new FrameSplitter(MAX), chunks)).toEqual([toHex(payload)])
  })

  it('keeps what was pushed before the last was read', () => {
    const splitter = new FrameSplitter(MAX)
    const stream = joined([framed(fromHex('01')), framed(fromHex('0203'))])
    splitter.push(stream.slice(0, 2))
    splitter.push(stream.slice(2, 8))
    expect(splitter.pendingBytes).toBe(8)
    splitter.push(stream.slice(8))
    expect(feed(splitter, [new Uint8Array(0)])).toEqual(['01', '0203'])
  })

  it('does not overwrite frames it gave out', () => {
    const splitter = new FrameSplitter(MAX)
    const stream = framed(fromHex('0102'))
    splitter.push(stream.slice(0, 5))
    expect(splitter.next()).toBeNull()
    splitter.push(stream.slice(5))
    const first = splitter.next()
    feed(splitter, [framed(fromHex('0909')).slice(0, 5), fromHex('09')])
    expect(first).toEqual(fromHex('0102'))
  })

  it.each([
    ['fffffffb', 'negativeLength'],
    ['47455420', 'tooLong'],
    ['00030d41', 'tooLong'],
  ])('a length of %s ends it: %s', (hex, failure) => {
    const splitter = new FrameSplitter(MAX)
    const bytes = joined([framed(fromHex('07')), fromHex(hex), framed(fromHex('08'))])
    expect(feed(splitter, [bytes])).toEqual(['07'])
    expect(splitter.failure).toBe(failure)
    expect(feed(splitter, [framed(fromHex('08'))])).toEqual([])
    expect(splitter.pendingBytes).toBe(14 - 9)
  })

  it('takes a frame of exactly the limit', () => {
    const splitter = new FrameSplitter(4)
    expect(feed(splitter, [framed(fromHex('01020304'))])).toEqual(['01020304'])
    expect(feed(splitter, [framed(fromHex('0102030405'))])).toEqual([])
    expect(splitter.failure).toBe('tooLong')
  })

  it('shows the first four bytes before they are taken as a length', () => {
    const splitter = new FrameSplitter(MAX)
    const word = Buffer.from('ruok')
    for (const byte of word.subarray(0, 3)) {
      splitter.push(Uint8Array.of(byte))
      expect(splitter.peekWord()).toBeNull()
    }
    splitter.push(word.subarray(3))
    expect(splitter.peekWord()).toBe('ruok')
    expect(splitter.peekWord()).toBe('ruok')
    expect(splitter.pendingBytes).toBe(4)
  })
})
