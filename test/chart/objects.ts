/** The fields of Kubernetes' objects that the suite reads one by one. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Metadata
}

interface Metadata {
  readonly name: string
  readonly namespace?: string
  readonly labels: Labels
  readonly annotations?: Labels
}

export type Labels = Readonly<Record<string, string>>

export interface StatefulSet extends Manifest {
  readonly spec: {
    readonly replicas?: number
    readonly serviceName: string
    readonly podManagementPolicy: string
    readonly selector: { readonly matchLabels: Labels }
    readonly template: PodTemplate
    readonly volumeClaimTemplates?: readonly {
      readonly metadata: { readonly name: string; readonly labels?: Labels }
      readonly spec: {
        readonly storageClassName?: string
        readonly resources: { readonly requests: { readonly storage: string } }
      }
    }[]
  }
}

export interface PodTemplate {
  readonly metadata: { readonly labels: Labels; readonly annotations: Labels }
  readonly spec: PodSpec
}

export interface PodSpec {
  readonly serviceAccountName?: string
  readonly automountServiceAccountToken: boolean
  readonly enableServiceLinks: boolean
  readonly terminationGracePeriodSeconds?: number
  readonly securityContext: {
    readonly runAsNonRoot: boolean
    readonly seccompProfile: { readonly type: string }
  }
  readonly affinity?: unknown
  readonly initContainers?: readonly Container[]
  readonly containers: readonly Container[]
  readonly volumes?: readonly Volume[]
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly imagePullPolicy: string
  readonly restartPolicy?: string
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly env?: readonly {
    readonly name: string
    readonly value?: string
    readonly valueFrom?: unknown
  }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly startupProbe?: Probe
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
  readonly lifecycle?: { readonly preStop: Probe }
  readonly resources?: unknown
  readonly securityContext: {
    readonly allowPrivilegeEscalation: boolean
    readonly readOnlyRootFilesystem: boolean
    readonly capabilities: { readonly drop: readonly string[] }
  }
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: number }
  readonly periodSeconds?: number
  readonly failureThreshold?: number
  readonly terminationGracePeriodSeconds?: number
}

export interface Volume {
  readonly name: string
  readonly projected?: unknown
  readonly emptyDir?: unknown
  readonly secret?: { readonly secretName: string }
}

export interface Service extends Manifest {
  readonly spec: {
    readonly type?: string
    readonly clusterIP?: string
    readonly publishNotReadyAddresses?: boolean
    readonly selector: Labels
    readonly ports: readonly {
      readonly name: string
      readonly port: number
      readonly targetPort: number
    }[]
  }
}

export interface ConfigMap extends Manifest {
  readonly data: Readonly<Record<string, string>>
}

export interface PodDisruptionBudget extends Manifest {
  readonly spec: {
    readonly minAvailable?: number | string
    readonly maxUnavailable?: number | string
  }
}

export interface NetworkPolicy extends Manifest {
  readonly spec: {
    readonly ingress: readonly {
      readonly from?: readonly object[]
      readonly ports: readonly { readonly port: number }[]
    }[]
    readonly egress?: readonly object[]
  }
}

/** The object of a kind, by name where there are several; throws where it is not there. */
export function pick<T extends Manifest>(
  manifests: readonly Manifest[],
  kind: T['kind'],
  name?: string,
): T {
  const found = manifests.find(
    (manifest) => manifest.kind === kind && (name === undefined || manifest.metadata.name === name),
  )
  if (found === undefined) throw new Error(`no ${kind} ${name ?? ''} among the manifests`)
  return found as T
}

/** Every pod that would come of the manifests: of sets, Jobs and plain pods. */
export function podSpecs(manifests: readonly Manifest[]): PodSpec[] {
  return manifests.flatMap((manifest) => {
    if (manifest.kind === 'Pod') return [(manifest as Manifest & { spec: PodSpec }).spec]
    if (manifest.kind !== 'StatefulSet' && manifest.kind !== 'Job') return []
    return [(manifest as StatefulSet).spec.template.spec]
  })
}

export const containersOf = (pod: PodSpec) => [...(pod.initContainers ?? []), ...pod.containers]
