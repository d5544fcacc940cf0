// A store that fails in some way, for tests.

import type { Store } from '../../src/storage/index.ts'

/** The same store with some of it replaced. */
export function altered(store: Store, change: Partial<Pick<Store, 'append' | 'putSnapshot' | 'close'>>): Store {
  return {
    recovered: store.recovered,
    get firstSlot() {
      return store.firstSlot
    },
    append: change.append ?? ((records, done) => store.append(records, done)),
    putSnapshot: change.putSnapshot ?? ((at, meta, chunks) => store.putSnapshot(at, meta, chunks)),
    adopt: (key) => store.adopt(key),
    cut: (at) => store.cut(at),
    read: (from, to) => store.read(from, to),
    counters: () => store.counters(),
    close: change.close ?? (() => store.close()),
  }
}
