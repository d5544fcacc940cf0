// A verifier thread that always answers with one verdict.

import { parentPort } from 'node:worker_threads'

parentPort?.on('message', () => parentPort?.postMessage(Uint8Array.of(1)))
