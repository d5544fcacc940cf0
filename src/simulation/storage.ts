// What one life of a simulated replica does with its disk: records in the order of the core's effects, the snapshot of the last
// stable checkpoint, and cutting off what lies below it.

import type { Slot } from '../../crypto/index.ts'
import type { DurableRecord } from '../consensus/index.ts'
import type { Disk } from './kernel/index.ts'
import type { KeptSnapshot, MachineHost } from './machine-host.ts'
import type { World } from './world.ts'

export class Storage {
  private readonly world: World
  private readonly disk: Disk<DurableRecord, KeptSnapshot>
  private readonly host: MachineHost
  private readonly hasPower: () => boolean
  /** The snapshot on disk, the one that is being written, and the newest that has come meanwhile. */
  private stored: number
  private writing: number | undefined
  private next: KeptSnapshot | undefined

  constructor(world: World, disk: Storage['disk'], host: MachineHost, hasPower: () => boolean) {
    this.world = world
    this.disk = disk
    this.host = host
    this.hasPower = hasPower
    this.stored = host.position.slot
  }

  /** Appends as one unit; `then` runs when it is on disk, also while the process stands still. */
  append(records: readonly DurableRecord[], then: () => void): void {
    this.whenDurable(this.disk.append(records, this.world.nowUs), then)
  }

  /** The checkpoint of this slot is stable: its snapshot goes to disk, and after it what is below may go. */
  stabilize(slot: Slot): void {
    const kept = this.host.snapshotAt(slot)
    if (kept !== undefined) this.store(kept)
  }

  private store(kept: KeptSnapshot): void {
    const { disk, world } = this
    if (this.writing !== undefined) {
      this.next = kept
      this.host.release(kept.slot, [this.stored, this.writing])
      return
    }
    this.writing = kept.slot
    this.whenDurable(disk.putSnapshot(kept, world.nowUs), () => this.wrote(kept))
    if (!world.scenario.shell.truncates) return
    this.whenDurable(
      disk.truncate((record) => isNeeded(record, kept.slot), world.nowUs),
      () => {},
    )
  }

  private wrote(kept: KeptSnapshot): void {
    const { next } = this
    this.stored = kept.slot
    this.writing = undefined
    this.next = undefined
    this.host.release(next?.slot ?? kept.slot, [kept.slot])
    if (next !== undefined) this.store(next)
  }

  /** The disk works on while the process stands still, but not without power. */
  private whenDurable(atUs: number, then: () => void): void {
    this.world.at(atUs, () => {
      if (!this.hasPower()) return
      this.disk.confirm()
      then()
    })
  }
}

/** Whether a record must outlive a stable checkpoint: everything but what is about slots at or below it. */
function isNeeded(record: DurableRecord, stable: number): boolean {
  switch (record.kind) {
    case 'entry':
      return record.entry.header.slot > stable
    case 'vote':
      return record.vote.statement.slot > stable
    case 'prepared':
    case 'chosen':
      return record.certificate.statement.slot > stable
    case 'checkpoint':
      return record.vote.slot >= stable
    default:
      return true
  }
}
