// A replica that answers reads as a liar would, and, where it leads, keeps others out of what is decided: the attack on PBFT's read
// optimisation (pitfall P44). Everything goes on outside of the replica, at its transport.

import type { ReplicaIndex } from '../../crypto/index.ts'
import type { ClientLink, ReplicaTransport } from '../../net/index.ts'
import type { ReadResult } from '../../src/machine/index.ts'
import {
  type Answer,
  decodeClientFrame,
  decodeMessage,
  decodeReplicaFrame,
  encodeReplicaFrame,
} from '../../src/wire/index.ts'

export interface ReadLie {
  /** `old`: the first result that each command ever had here, at a slot far ahead. */
  readonly reads: 'silent' | 'old'
  /** Members that get nothing of it that leads to a decision. */
  readonly excluded: readonly number[]
}

const KEPT_BACK: ReadonlySet<string> = new Set(['propose', 'vote', 'entries', 'bodies', 'requests', 'stable'])

export function lyingTransport(inner: ReplicaTransport, { reads, excluded }: ReadLie): ReplicaTransport {
  const links = new Map<ClientLink, ClientLink>()
  const asked = new Map<string, readonly Uint8Array[]>()
  const first = new Map<string, ReadResult>()
  const linkOf = (link: ClientLink): ClientLink => {
    const known = links.get(link)
    if (known !== undefined) return known
    const made: ClientLink = {
      key: link.key,
      id: link.id,
      close: () => link.close(),
      send: (frame) => say(link, frame),
    }
    links.set(link, made)
    return made
  }
  const say = (link: ClientLink, frame: Uint8Array): boolean => {
    const decoded = decodeReplicaFrame(frame)
    if (!decoded.ok || decoded.value.kind !== 'answer' || decoded.value.answer.kind !== 'read') return link.send(frame)
    if (reads === 'silent') return true
    const { id, answer } = decoded.value
    return link.send(
      encodeReplicaFrame({ ...decoded.value, answer: aged(answer, asked.get(`${link.id} ${id}`) ?? [], first) }),
    )
  }
  return {
    start: (handlers, options) =>
      inner.start(
        {
          ...handlers,
          clientFrame(link, frame) {
            const decoded = decodeClientFrame(frame)
            if (decoded.ok && decoded.value.kind === 'ask' && decoded.value.question.kind === 'read') {
              asked.set(`${link.id} ${decoded.value.id}`, decoded.value.question.commands)
              handlers.clientFrame(linkOf(link), frame)
            } else handlers.clientFrame(link, frame)
          },
        },
        options,
      ),
    stop: () => inner.stop(),
    update: (roster) => inner.update(roster),
    send: (to, channel, frame) => (channel === 'consensus' && isKeptBack(to, frame)) || inner.send(to, channel, frame),
    flush: () => inner.flush(),
    connected: (peer) => inner.connected(peer),
    get addresses() {
      return inner.addresses
    },
    counters: () => inner.counters(),
    sent: () => inner.sent(),
    queuedBytes: () => inner.queuedBytes(),
  }

  function isKeptBack(to: ReplicaIndex, frame: Uint8Array): boolean {
    if (!excluded.includes(to)) return false
    const message = decodeMessage(frame)
    return message.ok && KEPT_BACK.has(message.value.message.kind)
  }
}

function aged(
  answer: Extract<Answer, { readonly kind: 'read' }>,
  commands: readonly Uint8Array[],
  first: Map<string, ReadResult>,
): Answer {
  const results = answer.results.map((result, i) => {
    const name = String(commands[answer.first + i])
    const old = first.get(name) ?? result
    first.set(name, old)
    return old
  })
  return { ...answer, results }
}
