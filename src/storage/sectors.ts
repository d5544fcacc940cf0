// What is written to the log goes in whole sectors, and the last byte of each is a mark that is not zero. The log is written over
// zeros, or beyond the end of the file, and a disk writes a sector whole or not at all: so a sector of a torn write that did not
// reach the disk is all zeros, and no sector that did is, nor can any handful of flipped bits make it so.

import { SECTOR_BYTES, SECTOR_PAYLOAD_BYTES } from './limits.ts'

const MARK = 0xff

/** Sectors that hold `bytes` of payload. */
export function sectorsFor(bytes: number): number {
  return Math.ceil(bytes / SECTOR_PAYLOAD_BYTES)
}

/** The sectors that hold `payload`. */
export function pack(payload: Uint8Array): Uint8Array {
  const sectors = sectorsFor(payload.length)
  const packed = new Uint8Array(sectors * SECTOR_BYTES)
  for (let sector = 0; sector < sectors; sector++) {
    const from = sector * SECTOR_PAYLOAD_BYTES
    packed.set(payload.subarray(from, from + SECTOR_PAYLOAD_BYTES), sector * SECTOR_BYTES)
    packed[(sector + 1) * SECTOR_BYTES - 1] = MARK
  }
  return packed
}

/** What sectors hold, marked or not; the last may be cut short. */
export function unpack(packed: Uint8Array): Uint8Array {
  const whole = Math.floor(packed.length / SECTOR_BYTES)
  const rest = Math.min(packed.length % SECTOR_BYTES, SECTOR_PAYLOAD_BYTES)
  const view = Buffer.from(packed.buffer, packed.byteOffset, packed.length)
  const payload = new Uint8Array(whole * SECTOR_PAYLOAD_BYTES + rest)
  for (let sector = 0; sector <= whole; sector++) {
    const from = sector * SECTOR_BYTES
    view.copy(payload, sector * SECTOR_PAYLOAD_BYTES, from, from + SECTOR_PAYLOAD_BYTES)
  }
  return payload
}

/** Where in a file the byte at `position` of the payload stands. */
export function offsetOf(position: number): number {
  return Math.floor(position / SECTOR_PAYLOAD_BYTES) * SECTOR_BYTES + (position % SECTOR_PAYLOAD_BYTES)
}

/** Whether all bytes of the sector are there and zero. */
export function isUnwritten(packed: Uint8Array, sector: number): boolean {
  const from = sector * SECTOR_BYTES
  for (let at = from; at < from + SECTOR_BYTES; at++) if (packed[at] !== 0) return false
  return true
}
