import fc from 'fast-check'
import { expect, it } from 'vitest'
import { epoch } from '../../crypto/index.ts'
import { encodeMessage, frameHead, type PeerMessage } from '../../src/wire/index.ts'
import { anyEpoch, chainMessages, messages, startMessages } from './arbitraries.ts'

const ANY_EPOCH: readonly PeerMessage['kind'][] = ['evidence', 'fetch-chain', 'chain', 'what-of-me', 'held-of-you']
const AT_START: readonly PeerMessage['kind'][] = ['what-of-me', 'held-of-you']
const kinds: readonly fc.Arbitrary<PeerMessage>[] = [messages, chainMessages, startMessages].flatMap((each) =>
  Object.values(each),
)
const anyMessage = fc.oneof(...kinds)

it('the head of a frame is that of what was encoded, whatever the message and the epoch', () => {
  for (const kind of kinds) {
    const property = fc.property(kind, anyEpoch, (message, of) => {
      const [anyEpoch, atStart] = [ANY_EPOCH, AT_START].map((some) => some.includes(message.kind))
      expect(frameHead(encodeMessage(message, of))).toEqual({ epoch: of, anyEpoch, atStart })
    })
    fc.assert(property, { numRuns: 20 })
  }
})

it('a frame that is cut short, goes on behind its end, or has another version has no head', () => {
  fc.assert(
    fc.property(anyMessage, fc.nat(), (message, at) => {
      const frame = encodeMessage(message, epoch(300))
      // Without its last field it would be one of the first epoch.
      const cut = frame.subarray(0, at % (frame.length - 4))
      expect(frameHead(cut)).toBeUndefined()
      expect(frameHead(Uint8Array.of(...frame, 0))).toBeUndefined()
      expect(frameHead(Uint8Array.of(2, ...frame.subarray(1)))).toBeUndefined()
    }),
  )
})

it('a length that no frame has, or that does not fit a number, is no head', () => {
  const lengths = [
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    [0xff, 0xff, 0xff, 0x7f],
  ]
  for (const length of lengths) expect(frameHead(Uint8Array.of(1, 0x5a, ...length))).toBeUndefined()
})
