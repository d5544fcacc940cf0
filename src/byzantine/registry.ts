// The table of all behaviours, by the names that `--liar I=NAME[:ARGUMENT]` and scenarios use.

import {
  type Behaviour,
  type BehaviourContext,
  BehaviourError,
  type BehaviourKind,
  type ChainLie,
  type ChunkLie,
} from './behaviour.ts'
import { badChunk, badSnapshot, forgeCertificate, syncLiar } from './certificates.ts'
import { checkpointLiar, wrongResult, wrongStateRoot } from './checkpoints.ts'
import { early, falseChain, forgeChain, pastTheEnd, stillHere, wrongNext } from './epochs.ts'
import { disobey, doubleVote, equivocate, twoNewViews } from './equivocation.ts'
import { flood, future } from './flooding.ts'
import { Liar } from './liar.ts'
import { mutate, torsionSign } from './mutation.ts'
import { badClientSignature, censor, holeMaker, orderAgain, windowEdge, wrongDigest } from './proposals.ts'
import { mute, selectiveSilent, withholdBody } from './silence.ts'
import { duplicateSigner, otherCluster, relabel } from './splices.ts'
import { reorder, replayOld, slow } from './timing.ts'
import { badNewView, hidePrepared, timerAttacker } from './views.ts'

/** How long a mix keeps to one behaviour, in view time-outs. */
const PHASE_TIMEOUTS = 2

type Lies = (liar: Liar, argument: string | undefined) => Behaviour

const ARGUMENTS = {
  replicas: 'replicas, such as 1,3',
  perTick: 'messages a tick',
} as const

const SINGLE = {
  mute: single('sends nothing at all', mute),
  'selective-silent': single('sends nothing to some replicas', selectiveSilent, ARGUMENTS.replicas),
  'withhold-body': single('gives bodies to as few as can prepare', withholdBody, ARGUMENTS.replicas),
  slow: single('proposes and votes just under the time-out', slow, 'share of the time-out, such as 0.9'),
  reorder: single('sends its messages late and in another order', reorder),
  'replay-old': single('sends again whatever it ever saw', replayOld),
  equivocate: single('offers different entries to different replicas', equivocate),
  'double-vote': single('votes for two digests at a time', doubleVote),
  disobey: single('votes against the NewView that it names', disobey),
  'two-new-views': single('begins its view by two different NewViews', twoNewViews),
  'wrong-digest': single('proposes and votes for digests without a body', wrongDigest),
  censor: single("leaves one client's requests out", censor, 'begin of the client key in hexadecimal'),
  'bad-client-signature': single('proposes requests that no client signed', badClientSignature),
  'order-again': single('puts a request that was ordered into every later batch', orderAgain),
  'hole-maker': single('proposes for odd slots only', holeMaker),
  'window-edge': single('proposes for the last slot of the window only', windowEdge),
  'hide-prepared': single('forgets at a view change what it prepared', hidePrepared),
  'bad-new-view': single(
    'begins its view by a NewView that is not justified',
    badNewView,
    'drop, noop, duplicate or old',
  ),
  'timer-attacker': single('wants another view all the time', timerAttacker),
  'forge-certificate': single('invents the signatures of others', forgeCertificate),
  'duplicate-signer': single('makes certificates that name itself as every signer', duplicateSigner),
  'other-cluster': single('hands out what its peers decided in another cluster', otherCluster),
  relabel: single('hands out certificates as if they were of a later view', relabel),
  'sync-liar': single('lies to those who catch up', syncLiar),
  'bad-snapshot': { ...single('hands out snapshots with wrong bytes', badSnapshot), chunk: badChunk },
  'wrong-result': single('signs receipts for wrong results', wrongResult),
  'wrong-state-root': single('signs checkpoints of a wrong state', wrongStateRoot),
  'checkpoint-liar': single('signs checkpoints that it should not', checkpointLiar, 'past, future or split'),
  flood: single('floods its peers with messages', flood, ARGUMENTS.perTick),
  future: single('speaks of far views and slots', future, ARGUMENTS.perTick),
  mutate: single('changes single fields of its messages', mutate, 'share of the messages, such as 0.25'),
  'torsion-sign': single('signs with torsion in R', torsionSign),
  'past-the-end': aboutEpochs('votes for slots after the last one of the epoch', pastTheEnd),
  'still-here': aboutEpochs('goes on voting when it is no member any more', stillHere),
  early: aboutEpochs('votes in the next epoch before that was handed over to', early),
  'wrong-next': aboutEpochs('signs for some that another epoch follows', wrongNext),
  'forge-chain': {
    ...aboutEpochs('shows those who are behind epochs that nobody handed over to', forgeChain),
    chain: falseChain,
  },
} as const satisfies Readonly<Record<string, Single>>

/** All behaviours by name. */
export const BEHAVIOURS: Readonly<Record<string, BehaviourKind>> = Object.freeze({
  ...SINGLE,
  random: {
    describe: 'changes from one of the others to the next, as chance has it',
    argument: 'seed',
    make: mix,
    chunk: badChunk,
    chain: falseChain,
  },
})

/** Those that lie about changes of the members alone. */
export const EPOCH_BEHAVIOURS: readonly string[] = Object.keys(BEHAVIOURS).filter(
  (name) => BEHAVIOURS[name]?.aboutEpochs,
)

export interface ParsedBehaviour {
  readonly name: string
  readonly argument: string | undefined
  make(context: BehaviourContext): Behaviour
  /** What it does with the chunks of snapshots that it hands out; the truth where undefined. */
  readonly chunk: ((context: BehaviourContext) => ChunkLie) | undefined
  /** What it shows of the chain of epochs; the truth where undefined. */
  readonly chain: ((context: BehaviourContext) => ChainLie) | undefined
}

/** @throws {BehaviourError} unless `text` is `NAME` or `NAME:ARGUMENT` of a known behaviour. */
export function parseBehaviour(text: string): ParsedBehaviour {
  const colon = text.indexOf(':')
  const name = colon < 0 ? text : text.slice(0, colon)
  const argument = colon < 0 ? undefined : text.slice(colon + 1)
  const found = Object.hasOwn(BEHAVIOURS, name) ? BEHAVIOURS[name] : undefined
  if (found === undefined) {
    throw new BehaviourError(`unknown behaviour "${name}"; known are: ${Object.keys(BEHAVIOURS).join(', ')}`)
  }
  if (argument !== undefined && found.argument === undefined) {
    throw new BehaviourError(`behaviour "${name}" takes no argument, got "${argument}"`)
  }
  return { name, argument, make: (context) => found.make(context, argument), chunk: found.chunk, chain: found.chain }
}

interface Single extends BehaviourKind {
  readonly lies: Lies
}

function single(describe: string, lies: Lies, argument?: string): Single {
  const make = (context: BehaviourContext, given: string | undefined): Behaviour => {
    const liar = new Liar(context)
    return observing(liar, lies(liar, given))
  }
  return argument === undefined ? { describe, make, lies } : { describe, argument, make, lies }
}

function aboutEpochs(describe: string, lies: Lies): Single {
  return { ...single(describe, lies), aboutEpochs: true }
}

function observing(liar: Liar, behaviour: Behaviour): Behaviour {
  return (effects, input) => {
    liar.observe(effects, input)
    return behaviour(effects, input)
  }
}

/** One behaviour at a time, each for a while; what one held back when its time was up is lost. */
function mix(context: BehaviourContext, seed: string | undefined): Behaviour {
  const random = context.random.fork(`mix ${seed ?? ''}`)
  const liar = new Liar({ ...context, random })
  const all = Object.values(SINGLE).map((each) => each.lies(liar, undefined))
  const phaseMs = context.parameters.viewTimeoutMs * PHASE_TIMEOUTS
  let current = random.pick(all)
  let since = 0
  return observing(liar, (effects, input) => {
    if (input?.kind === 'tick' && input.nowMs - since > phaseMs) {
      since = input.nowMs
      current = random.pick(all)
    }
    return current(effects, input)
  })
}
