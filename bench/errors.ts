// How a benchmark fails.

/** A benchmark that could not be carried out, or that found something which must not be; one sentence. */
export class BenchError extends Error {
  override readonly name = 'BenchError'
}
