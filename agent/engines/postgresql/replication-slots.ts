/** The slot that Patroni makes for a member (slot_name_from_member_name), for names of pods. */
export function slotOf(member: string): string {
  return member.toLowerCase().replace(/[-.]/g, '_')
}

/** The pod of the set whose slot this is; null for any other slot. */
export function podOfSlot(slot: string, set: string): string | null {
  const prefix = slotOf(`${set}-`)
  const digits = slot.slice(prefix.length)
  return slot.startsWith(prefix) && /^(0|[1-9]\d*)$/.test(digits) ? `${set}-${digits}` : null
}
