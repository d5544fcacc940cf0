// Instances of assembled modules, where the engine takes them.

/** Unit of WebAssembly's memory. */
export const PAGE_BYTES = 65_536

/** What a module exports. Undefined where there is no WebAssembly, as in Node started with --jitless, or not what `code` asks of it. */
export function instantiate<Exports extends object>(code: Uint8Array<ArrayBuffer>): Exports | undefined {
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(code)) return undefined
  return new WebAssembly.Instance<Exports>(new WebAssembly.Module(code)).exports
}

/** Node's types leave it out. */
declare const WebAssembly: {
  validate(code: Uint8Array<ArrayBuffer>): boolean
  readonly Module: new (code: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new <Exports>(module: object) => { readonly exports: Exports }
}
