export interface Identity {
  readonly scheme: string
  readonly id: string
}

export interface AclEntry extends Identity {
  /** Sum of permission bits, see Permission. */
  readonly permissions: number
}

export const Permission = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const

export type Acl = readonly AclEntry[]

/** world:anyone with all permissions, what most clients send. */
export const OPEN_ACL: Acl = [{ permissions: Permission.all, scheme: 'world', id: 'anyone' }]

/** Everyone reads, only the super identity writes: the configuration of the ensemble. */
export const READ_ACL: Acl = [{ permissions: Permission.read, scheme: 'world', id: 'anyone' }]
