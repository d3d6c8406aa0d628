import { Counter, Gauge, type Registry } from 'prom-client'

/** TLS of one kind of connection. */
export interface TlsFigures {
  readonly handshakeFailures: number
  readonly reloads: number
  readonly reloadFailures: number
  /** Null when it is not known. */
  expiresInSeconds(nowMs: number): number | null
}

const COUNTERS = [
  ['handshakeFailures', 'quorate_tls_handshake_failures_total', 'TLS handshakes that failed'],
  ['reloads', 'quorate_tls_reloads_total', 'Times that changed TLS files were put in force'],
  ['reloadFailures', 'quorate_tls_reload_failures_total', 'Times that they could not be used'],
] as const

/** Series of each kind of connection that has TLS, told apart by the label `for`. */
export function addTlsSeries(registry: Registry, tls: ReadonlyMap<string, TlsFigures>): void {
  const common = { labelNames: ['for'], registers: [registry] }
  for (const [figure, name, help] of COUNTERS) {
    new Counter({
      ...common,
      name,
      help,
      collect() {
        this.reset()
        for (const [kind, figures] of tls) this.inc({ for: kind }, figures[figure])
      },
    })
  }
  new Gauge({
    ...common,
    name: 'quorate_tls_certificate_expires_in_seconds',
    help: 'Until the certificate expires; below 0 when it has',
    collect() {
      this.reset()
      for (const [kind, figures] of tls) {
        const seconds = figures.expiresInSeconds(Date.now())
        if (seconds !== null) this.set({ for: kind }, seconds)
      }
    },
  })
}
