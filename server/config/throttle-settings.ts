import { Type } from 'typebox'
import type { SessionThrottleOptions } from '../listener/session-throttle.ts'
import type { Settings } from './schema.ts'

const share = (description: string, value: number) =>
  Type.Number({ minimum: 0, maximum: 1, default: value, description })
const positive = (description: string, value: number) =>
  Type.Integer({ minimum: 1, default: value, description })

/** How fast clients come to sessions; a part of the schema. */
export const throttleSettings = {
  connectionTokensMax: Type.Integer({
    minimum: 0,
    default: 0,
    description: 'Sessions that may be asked for in one burst; 0 is no limit',
  }),
  connectionTokensFillMs: positive('In which connectionTokensFilled more may be asked for', 1),
  connectionTokensFilled: positive('Sessions that may be asked for in connectionTokensFillMs', 1),
  connectionDropMs: Type.Integer({
    minimum: -1,
    default: -1,
    description:
      'From one look at what is left of the burst to the next, to refuse clients by chance; -1 is off',
  }),
  connectionDropIncrease: share('Added to the chance of a refusal when nothing was left', 0.02),
  connectionDropDecrease: share('Taken from that chance when enough was left', 0.002),
  connectionDropDecreaseRatio: share('Of the burst, what may be used up for enough to be left', 0),
  connectionWeights: Type.Boolean({
    default: false,
    description: 'A session taken up again counts less than a new one',
  }),
  connectionWeightNew: positive('With connectionWeights: what a new session counts', 3),
  connectionWeightRenewed: positive('With connectionWeights: what one taken up again counts', 2),
}

/** The keys of a zoo.cfg: system properties of ZooKeeper. */
export const throttleKeys = {
  connection_throttle_tokens: 'connectionTokensMax',
  connection_throttle_fill_time: 'connectionTokensFillMs',
  connection_throttle_fill_count: 'connectionTokensFilled',
  connection_throttle_freeze_time: 'connectionDropMs',
  connection_throttle_drop_increase: 'connectionDropIncrease',
  connection_throttle_drop_decrease: 'connectionDropDecrease',
  connection_throttle_decrease_ratio: 'connectionDropDecreaseRatio',
  connection_throttle_weight_enabled: 'connectionWeights',
  connection_throttle_global_session_weight: 'connectionWeightNew',
  connection_throttle_renew_session_weight: 'connectionWeightRenewed',
} as const

export function throttleOf(settings: Settings): SessionThrottleOptions {
  return {
    tokensMax: settings.connectionTokensMax,
    fillMs: settings.connectionTokensFillMs,
    fillCount: settings.connectionTokensFilled,
    freezeMs: settings.connectionDropMs,
    dropIncrease: settings.connectionDropIncrease,
    dropDecrease: settings.connectionDropDecrease,
    decreaseRatio: settings.connectionDropDecreaseRatio,
    weights: settings.connectionWeights
      ? { fresh: settings.connectionWeightNew, renewed: settings.connectionWeightRenewed }
      : null,
  }
}
