import type { AgentConfig } from './config.ts'

/** The DNS name of a pod of the set. */
export function podHost({ settings }: AgentConfig, ordinal: number): string {
  const { set, service, namespace, clusterDomain } = settings
  return `${set}-${ordinal}.${service}.${namespace}.svc.${clusterDomain}`
}
