import { connect } from 'node:net'
import { within } from '../../deadline.ts'

export interface TcpQuestion {
  readonly host: string
  readonly port: number
  readonly send: string
  /** The answer is whole when one of these is found in it; none: a connection is the answer. */
  readonly expect: readonly RegExp[]
  readonly bytesMax: number
  readonly timeoutMs: number
}

/**
 * One connection: what is to be sent, then what comes back until it is what was expected, or the other side closes.
 * Rejects when there is no connection, when there is no such answer in time, or when it is too long; the message has
 * the beginning of what came instead.
 */
export function tcpExchange(question: TcpQuestion): Promise<string> {
  const { host, port, send, expect, bytesMax, timeoutMs } = question
  const socket = connect({ host, port })
  let text = ''
  const answer = new Promise<string>((resolve, reject) => {
    const settle = () => {
      if (!expect.some((pattern) => pattern.test(text))) return
      socket.destroy()
      resolve(text)
    }
    socket.setEncoding('utf8')
    socket.on('error', reject)
    socket.on('connect', () => {
      if (send !== '') socket.write(send)
      if (expect.length > 0) return
      socket.end()
      resolve('')
    })
    socket.on('data', (chunk: string) => {
      text += chunk
      if (text.length > bytesMax) reject(new Error('the answer is too long'))
      else settle()
    })
    socket.on('close', () => reject(new Error(`it answered ${excerptOf(text)}`)))
  })
  const late = () => new Error(`no such answer within ${timeoutMs} ms, but ${excerptOf(text)}`)
  return within(answer, timeoutMs, late).finally(() => socket.destroy())
}

function excerptOf(text: string): string {
  return text === '' ? 'nothing' : JSON.stringify(text.slice(0, 200))
}
