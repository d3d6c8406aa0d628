import type { Fetched, FormingRecord, StatefulSetView, StoredRecord } from '../core/observation.ts'

/** Of the own pod, what explains a stop. */
export interface PodView {
  readonly uid: string
  /** UID of the StatefulSet that controls it; null for a pod without one. */
  readonly ownerUid: string | null
  /** Reason of the DisruptionTarget condition; '' without one. */
  readonly disruption: string
}

/**
 * The few things that an agent asks of Kubernetes. Reads never reject: a failure is an answer, and
 * says so. Each has a limit of its own.
 */
export interface ClusterApi {
  statefulSet(): Promise<Fetched<StatefulSetView>>
  pod(): Promise<Fetched<PodView>>
  record(): Promise<Fetched<StoredRecord>>
  /** Creates (version null) or replaces exactly that version; false when another was faster. */
  writeRecord(record: FormingRecord, version: string | null): Promise<boolean>
  /** An event on the own pod; best effort, never rejects. */
  event(type: 'Normal' | 'Warning', reason: string, message: string): Promise<void>
}
