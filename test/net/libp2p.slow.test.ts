import { transportCompliance } from './compliance.ts'
import { Loopback } from './libp2p-support.ts'

transportCompliance('libp2p on 127.0.0.1', (limits) => new Loopback(limits))
