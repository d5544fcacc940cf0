// One thread of `quorate sim`: runs the seeds that it is handed and answers one result for each.

import { parentPort, workerData } from 'node:worker_threads'
import { useNative } from '../../../keys/native/index.ts'
import { type DrawOptions, runSeed } from '../../simulation/index.ts'
import { realSuite } from './real-suite.ts'

if (parentPort === null) throw new Error('this file runs as a worker thread only')
const port = parentPort
const draw: DrawOptions = workerData
useNative()

port.on('message', (seed: number) => port.postMessage(runSeed(seed, draw, { realSuite })))
