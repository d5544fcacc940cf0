import { expect, it } from 'vitest'
import { epoch } from '../../crypto/index.ts'
import type { ClientLink } from '../../net/index.ts'
import { EpochChain, type HandOver } from '../../src/consensus/index.ts'
import { emptyKept } from '../../src/replica/journal.ts'
import { Questions } from '../../src/replica/questions.ts'
import type { Store } from '../../src/storage/index.ts'
import { decodeReplicaFrame, encodeHandOver, MAX_LINKS } from '../../src/wire/index.ts'
import { signerNamed } from '../keys/sample.ts'
import { chainParts, charterAfter, handOver } from '../support/chain.ts'

const KEYS = [0, 1, 2, 3]

function linksOf(count: number): readonly HandOver[] {
  let chain = EpochChain.genesis(chainParts(KEYS))
  for (let i = 0; i < count; i++) {
    const { last } = chain
    const quorum = [0, 1, 2].map((position) => [position, position] as const)
    const longer = chain.extend(handOver(last, charterAfter(last, KEYS, last.start.slot + 128), quorum))
    if (!longer.ok) throw new Error(longer.fault.code)
    chain = longer.value
  }
  return chain.links
}

/** What a replica that goes by `links` answers to the question about the chain, frame by frame. */
async function answered(links: readonly HandOver[], from: number): Promise<readonly (readonly HandOver[])[]> {
  const parts = { store: Object.create(null) as Store, kept: emptyKept() }
  const questions = new Questions({ ...parts, links: () => links, status: () => Object.create(null) })
  const pages: (readonly HandOver[])[] = []
  await new Promise<void>((resolve) => {
    const link: ClientLink = {
      ...{ key: signerNamed('client admin').publicKey, id: 1, close: () => {} },
      send(bytes) {
        const decoded = decodeReplicaFrame(bytes)
        if (!decoded.ok || decoded.value.kind !== 'answer') throw new Error('no answer')
        const { answer, last } = decoded.value
        if (answer.kind !== 'chain') throw new Error(`an answer of the kind ${answer.kind}`)
        pages.push(answer.links)
        if (last) resolve()
        return true
      },
    }
    questions.ask(link, 1, { kind: 'chain', from: epoch(from) })
  })
  return pages
}

it('a replica tells the hand-overs from the one on that ended the epoch asked from', async () => {
  const links = linksOf(3)
  const told = async (from: number) => (await answered(links, from)).flat().map(encodeHandOver)
  expect(await told(0)).toEqual(links.map(encodeHandOver))
  expect(await told(2)).toEqual(links.slice(2).map(encodeHandOver))
  expect(await told(3)).toEqual([])
  expect(await told(4000)).toEqual([])
})

it('tells so many at once and no more, however long the chain', async () => {
  const links = linksOf(MAX_LINKS + 2)
  expect((await answered(links, 0)).flat()).toHaveLength(MAX_LINKS)
  expect((await answered(links, MAX_LINKS)).flat().map(({ charter }) => charter.epoch)).toEqual([
    MAX_LINKS + 1,
    MAX_LINKS + 2,
  ])
})
