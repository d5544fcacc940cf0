// The only door of src/byzantine: lying behaviours that wrap the effects of an honest core.

export {
  type Behaviour,
  type BehaviourContext,
  BehaviourError,
  type BehaviourKind,
  type ChainLie,
  type Chance,
  type ChunkLie,
  frameEpoch,
} from './behaviour.ts'
export { Liar, nonsense } from './liar.ts'
export { BEHAVIOURS, EPOCH_BEHAVIOURS, type ParsedBehaviour, parseBehaviour } from './registry.ts'
