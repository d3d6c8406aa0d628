/** The parent of a path other than "/": "/a/b" -> "/a", "/a" -> "/". */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

/** The last component of a path other than "/". */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** `parent` joined with `name`. */
export function childOf(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`
}

/**
 * ZooKeeper's rules (PathUtils of 3.9), by UTF-16 code unit: absolute, no trailing slash, no empty,
 * "." or ".." component, none of the characters U+0000-001F, 007F-009F, D800-F8FF, FFF0-FFFF.
 */
export function validatePath(path: string): boolean {
  const { length } = path
  if (length === 0 || path.charCodeAt(0) !== 0x2f) return false
  if (length === 1) return true
  let componentStart = 1
  for (let i = 1; i <= length; i += 1) {
    const unit = i === length ? 0x2f : path.charCodeAt(i)
    if (unit === 0x2f) {
      if (!isComponent(path, componentStart, i)) return false
      componentStart = i + 1
    } else if (isForbidden(unit)) return false
  }
  return true
}

function isComponent(path: string, from: number, to: number): boolean {
  const length = to - from
  if (length === 0) return false
  if (length > 2 || path.charCodeAt(from) !== 0x2e) return true
  return length === 2 && path.charCodeAt(from + 1) !== 0x2e
}

function isForbidden(unit: number): boolean {
  if (unit < 0x20) return true
  if (unit < 0x7f) return false
  return unit <= 0x9f || (unit >= 0xd800 && unit <= 0xf8ff) || unit >= 0xfff0
}

/** The root has two names for who reads: ZooKeeper keeps it under the empty path as well. */
export function keptAs(path: string): string {
  return path === '' ? '/' : path
}
