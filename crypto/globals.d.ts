// The two globals that the pure folders may use beyond ECMAScript: every browser and Node have them, and both are deterministic.
// Only tsconfig.pure.json reads this file; elsewhere Node's own types declare them.

interface TextEncoder {
  encode(input: string): Uint8Array
}
declare const TextEncoder: { new (): TextEncoder }

interface TextDecoder {
  decode(input: Uint8Array): string
}
declare const TextDecoder: { new (label: 'utf-8', options: { fatal: true; ignoreBOM: true }): TextDecoder }
