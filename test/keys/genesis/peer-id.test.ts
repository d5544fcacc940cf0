import * as fc from 'fast-check'
import { base58btc } from 'multiformats/bases/base58'
import { describe, expect, it } from 'vitest'
import { fromHex, hex, publicKey } from '../../../crypto/index.ts'
import { keyOfPeerId, peerIdOf } from '../../../keys/genesis/index.ts'

const KEY = '1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e'
const PEER_ID = '12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq'

/** The peer id of these bytes. */
function spelled(digits: string): string {
  return base58btc.baseEncode(fromHex(digits) ?? new Uint8Array())
}

describe('peer ids', () => {
  it('are those of libp2p', () => {
    expect(peerIdOf(publicKey(fromHex(KEY) ?? new Uint8Array()))).toBe(PEER_ID)
    expect(hex(keyOfPeerId(PEER_ID) ?? new Uint8Array())).toBe(KEY)
  })

  it('have 52 characters and give back their key, for every key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const peerId = peerIdOf(publicKey(bytes))
        expect(peerId).toMatch(/^12D3KooW.{44}$/)
        expect(keyOfPeerId(peerId)).toEqual(bytes)
      }),
    )
  })

  it.each([
    ['the CIDv1 spelling', 'bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6'],
    ['the multibase prefix', `z${PEER_ID}`],
    ['a second leading zero', `1${PEER_ID}`],
    ['a character that base58 lacks', `${PEER_ID.slice(0, -1)}0`],
    ['one character less', PEER_ID.slice(0, -1)],
    ['a secp256k1 key', spelled(`002408021220${KEY}`)],
    ['fields in the other order', spelled(`00241220${KEY}0801`)],
    ['a hash instead of the key', spelled(`1220${KEY}`)],
    ['nothing', ''],
  ])('are refused with %s', (_, text) => {
    expect(keyOfPeerId(text)).toBeUndefined()
  })
})
