import { describe, expect, it } from 'vitest'
import { TouchReport } from '../../../server/ensemble/touch-report.ts'

describe('touch reports', () => {
  it('repeat a session until an answer covers it', () => {
    const report = new TouchReport()
    report.touch(7)
    expect(report.next(0)).toEqual({ sequence: 1, sessions: [7] })
    expect(report.next(10)).toEqual({ sequence: 2, sessions: [7] })
    report.answered(2)
    expect(report.next(20)).toEqual({ sequence: 3, sessions: [] })
  })

  it('keep a session that was touched after the answered report left', () => {
    const report = new TouchReport()
    report.touch(7)
    report.next(0)
    report.touch(7)
    report.answered(1)
    expect(report.next(10).sessions).toEqual([7])
  })

  it('prove contact from the time a report was sent, not answered', () => {
    const report = new TouchReport()
    expect(report.ageMs(5)).toBe(Number.POSITIVE_INFINITY)
    report.next(100)
    report.next(200)
    report.answered(1)
    expect(report.ageMs(250)).toBe(150)
    report.answered(2)
    expect(report.ageMs(250)).toBe(50)
  })

  it('take no proof from reports of before a change of leader or a pause', () => {
    const report = new TouchReport()
    report.next(100)
    report.forgetProofs()
    report.answered(1)
    expect(report.ageMs(200)).toBe(Number.POSITIVE_INFINITY)
    report.next(300)
    report.answered(2)
    expect(report.ageMs(310)).toBe(10)
    report.distrust()
    expect(report.ageMs(310)).toBe(Number.POSITIVE_INFINITY)
  })

  it('forget the oldest unanswered reports, so that silence does not grow memory', () => {
    const report = new TouchReport()
    for (let sent = 0; sent < 1000; sent += 1) report.next(sent)
    report.answered(1)
    expect(report.ageMs(1000)).toBe(Number.POSITIVE_INFINITY)
    report.answered(1000)
    expect(report.ageMs(1000)).toBe(1)
  })
})
