// The only door of src/wire: consensus messages, client frames, records and archives as bytes. Pure, so auditors use it too.

export type * from './archive.ts'
export type * from './frames.ts'
