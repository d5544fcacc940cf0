// Up to 1,024 messages in four lanes: whenever one is at its end, the next one takes its lane, so that long and short ones mix.
// WebAssembly, made here; the messages are in its memory, padding is done there.

import {
  assemble,
  type Code,
  call,
  choose,
  get,
  instantiate,
  int,
  loadInt,
  loadLane,
  loadVector,
  loopWhile,
  operate,
  PAGE_BYTES,
  type Program,
  set,
  shuffle,
  splatByte,
  storeInt,
  storeVector,
  vectorOf,
  when,
} from '../wasm/index.ts'
import {
  BIG_ENDIAN,
  BLOCK_BYTES,
  CONSTANTS,
  compress,
  initialWords,
  LANES,
  roundConstants,
  STATE,
  STATE_WORDS,
  VECTOR_BYTES,
} from './compression.ts'

/** Messages of one call. */
export const MAX_MESSAGES = 1024
/** Bytes of one message: a lane without one reads this far from where it stood. */
export const MAX_MESSAGE_BYTES = 512
const DIGEST_BYTES = 32

/** A lane: its next block, how many are left, how many of them are padded (the last one or two), where its digest goes. */
const LANE = STATE + STATE_WORDS * VECTOR_BYTES
const [AT, LEFT, PADDED, TARGET] = [0, 4, 8, 12]
const LANE_BYTES = 16
/** What follows a message's last whole block, padded: one or two blocks a lane, whose second is zero but for the length. */
const TAILS = LANE + LANES * LANE_BYTES
const TAIL_BYTES = 2 * BLOCK_BYTES
/** Zero, and the ends of the messages. */
const BOUNDS = TAILS + LANES * TAIL_BYTES
const DIGESTS = BOUNDS + 4 * (MAX_MESSAGES + LANES)
const MESSAGES = DIGESTS + DIGEST_BYTES * MAX_MESSAGES
const PAGES = 2
/** Bytes of all messages of one call; a padded block is made of 64 bytes, also where only the first of them are the message's. */
export const MAX_BYTES = PAGES * PAGE_BYTES - MESSAGES - BLOCK_BYTES

export interface Lanes {
  /** Where messages are put, one after another: {@link MAX_BYTES}. */
  readonly messages: Uint8Array
  /** Message `index` ends at byte `end`, where the next one begins. */
  setEnd(index: number, end: number): void
  /** Where their digests are, 32 bytes each, after `hash`. */
  readonly digests: Uint8Array
  /** Hashes so many messages. */
  hash(count: number): void
}

/** Undefined where there is no WebAssembly with vectors. */
export function createLanes(): Lanes | undefined {
  const programs = [compress(), begin(), rest(), finish(), hash()]
  const module = instantiate<LanesModule>(assemble(programs, PAGES))
  if (module === undefined) return undefined
  const { buffer } = module.memory
  const memory = new DataView(buffer)
  for (const [i, constant] of roundConstants().entries()) memory.setUint32(CONSTANTS + 4 * i, constant, true)
  return {
    messages: new Uint8Array(buffer, MESSAGES, MAX_BYTES),
    setEnd: (index, end) => memory.setUint32(BOUNDS + 4 + 4 * index, end, true),
    digests: new Uint8Array(buffer, DIGESTS, DIGEST_BYTES * MAX_MESSAGES),
    hash: module.hash,
  }
}

interface LanesModule {
  readonly memory: { readonly buffer: ArrayBuffer }
  hash(count: number): void
}

const [COMPRESS, BEGIN, REST, FINISH] = [0, 1, 2, 3]
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const times = (value: Code, power: number) => operate('i32.shl', value, int(Math.log2(power)))
const tailOf = (lane: Code) => operate('i32.add', times(lane, TAIL_BYTES), int(TAILS))
const inLane = (lane: Code, field: number, value: Code) => storeInt(times(lane, LANE_BYTES), LANE + field, value)
const ofLane = (lane: Code, field: number) => loadInt(times(lane, LANE_BYTES), LANE + field)

/** Gives message number `message` to a lane, and pads it. */
function begin(): Program {
  const [lane, message, start, length, whole, rest, tail, bits, restBytes] = [0, 1, 2, 3, 4, 5, 6, 7, 8]
  const end = loadInt(times(get(message), 4), BOUNDS + 4)
  const wholeBytes = times(get(whole), BLOCK_BYTES)
  const padded = operate('i32.add', int(1), operate('i32.ge_u', get(rest), int(BLOCK_BYTES - 8)))
  const tailEnd = operate('i32.add', times(get(lane), TAIL_BYTES), times(ofLane(get(lane), PADDED), BLOCK_BYTES))
  // Big-endian; above 16 bits it is zero, for messages of at most MAX_MESSAGE_BYTES.
  const swapped = operate(
    'i32.or',
    operate('i32.shl', get(bits), int(24)),
    operate('i32.shl', operate('i32.and', get(bits), int(0xff00)), int(8)),
  )
  const body = [
    set(start, loadInt(times(get(message), 4), BOUNDS)),
    set(length, operate('i32.sub', end, get(start))),
    set(whole, operate('i32.shr_u', get(length), int(Math.log2(BLOCK_BYTES)))),
    set(rest, operate('i32.and', get(length), int(BLOCK_BYTES - 1))),
    set(tail, tailOf(get(lane))),
    set(restBytes, splatByte(get(rest))),
    numbers(BLOCK_BYTES / VECTOR_BYTES).map((part) => {
      const from = operate('i32.add', get(start), wholeBytes)
      return storeVector(get(tail), VECTOR_BYTES * part, pad(from, part, get(restBytes)))
    }),
    inLane(get(lane), PADDED, padded),
    set(bits, times(get(length), 8)),
    storeInt(tailEnd, TAILS - 4, swapped),
    inLane(get(lane), LEFT, operate('i32.add', get(whole), ofLane(get(lane), PADDED))),
    inLane(get(lane), AT, choose(get(whole), operate('i32.add', get(start), int(MESSAGES)), get(tail))),
    inLane(get(lane), TARGET, operate('i32.add', times(get(message), DIGEST_BYTES), int(DIGESTS))),
    initialWords().map((word, i) => storeInt(times(get(lane), 4), STATE + VECTOR_BYTES * i, int(word | 0))),
  ]
  return { name: 'begin', parameters: 2, ints: 6, vectors: 1, body }
}

/** 16 bytes of a message's last ones: behind them 0x80, and zeros in place of what follows the message in memory. */
function pad(from: Code, part: number, rest: Code): Code {
  const places = vectorOf(numbers(VECTOR_BYTES).map((i) => VECTOR_BYTES * part + i))
  const kept = operate(
    'v128.and',
    loadVector(from, MESSAGES + VECTOR_BYTES * part),
    operate('i8x16.lt_u', places, rest),
  )
  const mark = operate('v128.and', operate('i8x16.eq', places, rest), vectorOf(Array(VECTOR_BYTES).fill(0x80)))
  return operate('v128.or', kept, mark)
}

/** Lets a lane go on without a message. */
function rest(): Program {
  const lane = get(0)
  return { name: 'rest', parameters: 1, body: [inLane(lane, AT, tailOf(lane)), inLane(lane, LEFT, int(-1))] }
}

/** Writes the digest of a lane. */
function finish(): Program {
  const [lane, words] = [0, 1]
  const body = [0, 1].map((half) => [
    numbers(LANES).map((i) => {
      const at = STATE + VECTOR_BYTES * (LANES * half + i)
      return set(words, loadLane(times(get(lane), 4), at, get(words), i))
    }),
    storeVector(ofLane(get(lane), TARGET), VECTOR_BYTES * half, shuffle(get(words), get(words), BIG_ENDIAN)),
  ])
  return { name: 'finish', parameters: 1, vectors: 1, body }
}

function hash(): Program {
  const [count, next, done, left] = [0, 1, 2, 3]
  const increase = (local: number) => set(local, operate('i32.add', get(local), int(1)))
  const lanes = numbers(LANES).map((lane) => int(lane))
  const beginOrRest = (lane: Code) => [
    when(operate('i32.lt_u', get(next), get(count)), call(BEGIN, lane, get(next)), call(REST, lane)),
    increase(next),
  ]
  const advance = (lane: Code) => {
    const following = operate('i32.add', ofLane(lane, AT), int(BLOCK_BYTES))
    const isPadded = operate('i32.eq', get(left), ofLane(lane, PADDED))
    return [
      set(left, operate('i32.sub', ofLane(lane, LEFT), int(1))),
      inLane(lane, LEFT, get(left)),
      when(get(left), inLane(lane, AT, choose(isPadded, tailOf(lane), following)), [
        call(FINISH, lane),
        increase(done),
        beginOrRest(lane),
      ]),
    ]
  }
  const body = [
    lanes.map(beginOrRest),
    loopWhile(
      [call(COMPRESS, ...lanes.map((lane) => ofLane(lane, AT))), lanes.map(advance)],
      operate('i32.lt_u', get(done), get(count)),
    ),
  ]
  return { name: 'hash', parameters: 1, ints: 3, body }
}
