// I1: all honest replicas decide the same entry for a slot, on a certificate that holds.
// I2: for one view and slot at most one digest ever has a prepare certificate that is on a disk, and so may have left.

import {
  type Certificate,
  type CertificateKind,
  type Digest,
  hex,
  type Membership,
  type SignatureVerifier,
  verifyCertificate,
} from '../../../crypto/index.ts'
import type { DurableRecord, Effect } from '../../consensus/index.ts'
import { type Observer, type ReplicaView, Violation } from '../observer.ts'

interface Judge {
  readonly membership: Membership
  readonly verifier: SignatureVerifier
}

export class AgreementCheck implements Observer {
  private readonly judgeOf: (membership: Digest) => Judge | undefined
  private readonly decided = new Map<number, string>()
  private readonly prepared = new Map<string, string>()

  /** `judgeOf` tells by what a statement that names this membership is judged: strictly, whatever the replicas do. */
  constructor(judgeOf: (membership: Digest) => Judge | undefined) {
    this.judgeOf = judgeOf
  }

  effect(replica: ReplicaView, effect: Effect): void {
    if (!replica.honest) return
    if (effect.kind === 'execute') this.decide(replica, effect.certificate)
    if (effect.kind === 'persist') for (const record of effect.records) this.record(replica, record)
  }

  /**
   * Only what a power cut leaves counts for I2: with b = 0 the leader's vote alone prepares, and one that is lost before it is durable, and
   * so before it leaves, binds nobody. After the restart the same view may begin with other ViewChanges, and another value.
   */
  durable(replica: ReplicaView, records: readonly DurableRecord[]): void {
    if (replica.honest) for (const record of records) if (record.kind === 'prepared') this.prepare(record.certificate)
  }

  started(replica: ReplicaView, records: readonly DurableRecord[]): void {
    this.durable(replica, records)
  }

  private record(replica: ReplicaView, record: DurableRecord): void {
    if (record.kind === 'chosen') this.decide(replica, record.certificate)
    if (record.kind === 'prepared') this.mustHold('I2 one prepared value', replica, record.certificate, 'prepare')
  }

  private decide(replica: ReplicaView, certificate: Certificate): void {
    const { slot, digest } = certificate.statement
    const text = hex(digest)
    const first = this.decided.get(slot)
    if (first === undefined) this.decided.set(slot, text)
    else if (first !== text) {
      throw new Violation('I1 agreement', `slot ${slot}: ${first} was decided, and r${replica.address} decides ${text}`)
    }
    this.mustHold('I1 agreement', replica, certificate, 'accept')
  }

  private prepare(certificate: Certificate): void {
    // Of two epochs, the slots differ.
    const { view, slot, digest } = certificate.statement
    const key = `${view}/${slot}`
    const text = hex(digest)
    const first = this.prepared.get(key)
    if (first === undefined) this.prepared.set(key, text)
    else if (first !== text) {
      throw new Violation('I2 one prepared value', `view ${view}, slot ${slot}: certificates for ${first} and ${text}`)
    }
  }

  private mustHold(invariant: string, replica: ReplicaView, certificate: Certificate, kind: CertificateKind): void {
    const { view, slot, membership: digest } = certificate.statement
    const judge = this.judgeOf(digest)
    const checked = judge && verifyCertificate(certificate, { kind }, judge.membership, judge.verifier)
    if (checked?.ok) return
    const what = `r${replica.address} relies on a certificate (${kind}, view ${view}, slot ${slot}) that does not hold`
    throw new Violation(invariant, `${what}: ${checked?.fault.code ?? 'of no epoch'}`)
  }
}
