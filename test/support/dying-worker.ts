// A verifier thread that dies of the first batch it gets.

import { parentPort } from 'node:worker_threads'

parentPort?.on('message', () => {
  throw new Error('this thread always fails')
})
