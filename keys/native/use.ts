// What the pure code does by itself and Node does faster.

import { hashWith, textWith } from '../../crypto/index.ts'
import { nativeSha256Each } from './many/index.ts'
import { nativeRunningSha256, nativeSha256 } from './sha256.ts'
import { nativeText } from './text.ts'

/** Lets everything in this process hash with OpenSSL, many at once with WebAssembly, and make texts with Node; see {@link hashWith} and {@link textWith}. */
export function useNative(): void {
  hashWith(nativeSha256, nativeRunningSha256, nativeSha256Each)
  textWith(nativeText)
}
