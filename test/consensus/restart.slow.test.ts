// Power cuts at every moment of a short run (pitfall P27; scenario S12).

import { describe, expect, it } from 'vitest'
import { missing, runUntilDone, safetyFault } from '../support/attack.ts'
import { miniCluster } from '../support/mini-cluster.ts'

describe('a restart', () => {
  it.each([
    [4, 1, 0],
    [3, 0, 1],
  ])(
    'at any moment of a run leaves agreement and every promise whole (n=%i, b=%i, c=%i)',
    (replicas, byzantine, crash) => {
      for (let victim = 0; victim < 3; victim++) {
        for (let moment = 0; moment < 24; moment++) {
          const cluster = miniCluster({ replicas, byzantine, crash })
          let seen = 0
          let cut = false
          // The power goes after so many messages: whatever is under way to or from the victim is lost.
          cluster.filter = (from, to, message) => {
            if (message.kind !== 'heartbeat' && (from === victim || to === victim)) seen += 1
            if (seen > 3 * moment) cut = true
            return !(cut && (from === victim || to === victim))
          }
          cluster.run(50)
          const texts = ['a', 'b', 'c', 'd', 'e', 'f']
          for (const text of texts) {
            cluster.submit([0, 1, 2], text)
            cluster.settle()
          }
          cluster.crash(victim)
          cluster.run(1500)
          cluster.filter = () => true
          cluster.restart(victim)
          runUntilDone(cluster, texts, 10_000)
          expect(safetyFault(cluster)).toBeUndefined()
          expect(missing(cluster, texts)).toEqual([])
        }
      }
    },
  )
})
