// From a seed to a scenario, by the profile.

import { drawMembership } from './draw-membership.ts'
import { type DrawOptions, drawFixed } from './profiles.ts'
import type { Scenario } from './scenario.ts'

export function drawScenario(seed: number, options: DrawOptions): Scenario {
  return options.profile === 'membership' ? drawMembership(seed, options) : drawFixed(seed, options)
}
