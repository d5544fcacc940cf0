// Exactly once: what each client asked lately and what it was answered, as part of the state.
//
// A client numbers its requests from 1. Of each client the state keeps the highest number answered (H), and the answers
// to the SESSION_WINDOW numbers up to H. A number in the window without an answer was skipped so far and may still
// come: requests in flight overtake one another. A number above H is taken whatever the gap, and moves the window: a
// client that lost its memory may go on from a clock. A number below the window is refused: whether it was executed is
// no longer known, which is the client's own doing; one that keeps the numbers in flight within one window never meets
// this.
//
// Answers are stored by pages of SESSION_PAGE numbers, so that a busy client costs a few keys a checkpoint and not one
// a request. Pages are held as an array of answers between two checkpoints and written by `flush`. What they say depends on the
// requests alone, never on when that happens; a page goes as a whole when its last number falls below the window.

import { type Digest, digest, sha256, writeU64 } from '../../crypto/index.ts'
import { type AuthenticatedMap, joinText, prefixed, type Text, toBytes, toText } from './authenticated-map/index.ts'
import { ByteReader, ByteWriter } from './bytes-codec.ts'
import { ANSWER_SPACE, SESSION_SPACE } from './keyspace.ts'
import { MAX_CACHED_RESULT_BYTES, SESSION_PAGE, SESSION_WINDOW } from './limits.ts'
import { OUTCOME_BYTES, type Outcome, outcomeFromByte } from './result-record.ts'

export interface Answer {
  /** Digest of the request that was answered. */
  readonly request: Digest
  readonly slot: number
  readonly outcome: Outcome
  readonly result: Uint8Array
}

export type SessionVerdict =
  | { readonly kind: 'new' }
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'expired'; readonly lowest: number; readonly highest: number }

interface Session {
  highest: number
  changed: boolean
  /** Decoded pages by page number. */
  readonly pages: Map<number, Page>
}

interface Page {
  /** As {@link packAnswer} makes them: as objects they would be most of what the collector has to move. */
  readonly answers: (Text | undefined)[]
  changed: boolean
}

export class Sessions {
  private readonly map: AuthenticatedMap
  /** Pages that the next flush looks at. */
  open = 0
  /** Sessions used since the last flush. */
  private readonly used = new Map<Text, Session>()

  constructor(map: AuthenticatedMap) {
    this.map = map
  }

  /** What the state knows about number `sequence` (1 or more) of `client`. */
  look(client: Text, sequence: number): SessionVerdict {
    const session = this.find(client)
    if (session === undefined) return { kind: 'new' }
    const lowest = lowestOf(session.highest)
    if (sequence < lowest) return { kind: 'expired', lowest, highest: session.highest }
    if (sequence > session.highest) return { kind: 'new' }
    const answer = this.page(client, session, pageOf(sequence)).answers[sequence % SESSION_PAGE]
    return answer === undefined ? { kind: 'new' } : { kind: 'answered', answer: unpackAnswer(answer) }
  }

  /** Notes the answer to a number that {@link look} called new. */
  note(client: Text, sequence: number, answer: Answer): void {
    const session = this.find(client) ?? this.begin(client)
    if (sequence > session.highest) this.advance(client, session, sequence)
    const page = this.page(client, session, pageOf(sequence))
    page.answers[sequence % SESSION_PAGE] = packAnswer(kept(answer))
    page.changed = true
  }

  /** Writes what changed into the state. Call before every commit. */
  flush(): void {
    for (const [client, session] of this.used) {
      if (session.changed) this.map.set(sessionKey(client), encodeNumber(session.highest))
      for (const [number, page] of session.pages) {
        if (page.changed) this.map.set(answerKey(client, number), encodePage(page))
      }
    }
    this.used.clear()
    this.open = 0
  }

  private advance(client: Text, session: Session, highest: number): void {
    const lastGone = Math.min(pageOf(lowestOf(highest)) - 1, pageOf(session.highest))
    for (let number = pageOf(lowestOf(session.highest)); number <= lastGone; number++) {
      session.pages.delete(number)
      const key = answerKey(client, number)
      if (this.map.get(key) !== undefined) this.map.set(key, undefined)
    }
    session.highest = highest
    session.changed = true
  }

  /** The session of a client that was answered before; asking for another leaves no trace. */
  private find(client: Text): Session | undefined {
    const used = this.used.get(client)
    if (used !== undefined) return used
    const stored = this.map.get(sessionKey(client))
    return stored === undefined ? undefined : this.begin(client, decodeNumber(stored))
  }

  private begin(client: Text, highest = 0): Session {
    const session: Session = { highest, changed: false, pages: new Map() }
    this.used.set(client, session)
    return session
  }

  private page(client: Text, session: Session, number: number): Page {
    let page = session.pages.get(number)
    if (page === undefined) {
      page = { answers: decodePage(this.map.get(answerKey(client, number))), changed: false }
      session.pages.set(number, page)
      this.open++
    }
    return page
  }
}

/** Of a packed answer, before its result. */
const HEAD_BYTES = 41

function lowestOf(highest: number): number {
  return Math.max(1, highest - SESSION_WINDOW + 1)
}

function pageOf(sequence: number): number {
  return Math.floor(sequence / SESSION_PAGE)
}

/** The answer as the session keeps it: of a long result only the digest. */
function kept(answer: Answer): Answer {
  if (answer.result.length <= MAX_CACHED_RESULT_BYTES) return answer
  return { ...answer, outcome: 'forgotten', result: sha256(answer.result) }
}

function sessionKey(client: Text): Text {
  return prefixed(SESSION_SPACE, toBytes(client))
}

function answerKey(client: Text, page: number): Text {
  const key = new Uint8Array(client.length + 8)
  key.set(toBytes(client))
  writeU64(key, client.length, page)
  return prefixed(ANSWER_SPACE, key)
}

function encodeNumber(value: number): Text {
  return toText(new ByteWriter().u64(value).finish())
}

function decodeNumber(text: Text): number {
  return new ByteReader(toBytes(text)).u64()
}

/** Request digest (32), slot (8), outcome (1), result. */
function packAnswer({ request, slot, outcome, result }: Answer): Text {
  return toText(new ByteWriter().raw(request).u64(slot).u8(OUTCOME_BYTES[outcome]).raw(result).finish())
}

/** @throws {Error} where the state holds something else: a defect of ours, since what is restored was verified. */
function unpackAnswer(text: Text): Answer {
  const reader = new ByteReader(toBytes(text))
  const request = reader.take(32)
  const slot = reader.u64()
  const outcome = outcomeFromByte(reader.u8())
  const result = reader.rest()
  if (reader.failed || outcome === undefined) throw new Error('session: unreadable page')
  return { request: digest(request), slot, outcome, result }
}

/** Per answer, in ascending order: position in the page (1), request digest (32), slot (8), outcome (1), result (sized). */
function encodePage(page: Page): Text {
  const writer = new ByteWriter()
  page.answers.forEach((answer, position) => {
    if (answer === undefined) return
    const bytes = toBytes(answer)
    writer.u8(position).raw(bytes.subarray(0, HEAD_BYTES)).sized(bytes.subarray(HEAD_BYTES))
  })
  return toText(writer.finish())
}

/** @throws {Error} as {@link unpackAnswer}. */
function decodePage(text: Text | undefined): (Text | undefined)[] {
  const answers: (Text | undefined)[] = new Array(SESSION_PAGE).fill(undefined)
  const reader = new ByteReader(text === undefined ? new Uint8Array(0) : toBytes(text))
  while (!reader.done) {
    const position = reader.u8()
    const head = reader.take(HEAD_BYTES)
    const result = reader.sized(MAX_CACHED_RESULT_BYTES)
    if (reader.failed || outcomeFromByte(head[HEAD_BYTES - 1] ?? 0) === undefined) {
      throw new Error('session: unreadable page')
    }
    answers[position] = joinText(toText(head), toText(result))
  }
  return answers
}
