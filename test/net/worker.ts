// A member in a process of its own, for tests that stop or kill it: npx node test/net/worker.ts INDEX PEER=ADDRESS...
// It prints its address, echoes every frame, and leaves when its input ends, by letting go of everything: it never
// calls process.exit.

import { replicaIndex } from '../../crypto/index.ts'
import { libp2pReplicaTransport } from '../../net/index.ts'
import { seedNamed } from '../keys/sample.ts'
import { GENESIS, HeardByReplica } from './support.ts'

const [index = '0', ...known] = process.argv.slice(2)
const addresses = new Map(known.map((pair) => [Number(pair.split('=')[0]), pair.split('=').slice(1)]))
const self = replicaIndex(Number(index))
const transport = libp2pReplicaTransport({
  clusterId: GENESIS.clusterId,
  roster: GENESIS.members,
  self,
  seed: seedNamed(`transport ${index}`),
  listen: ['/ip4/127.0.0.1/tcp/0'],
  addresses: (entry) => addresses.get(GENESIS.members.findIndex(({ peerId }) => peerId === entry.peerId)) ?? [],
  limits: { backoffMs: 20, backoffCapMs: 200 },
})
const heard = new HeardByReplica()
heard.onPeerFrame = (from, channel, frame) => transport.send(replicaIndex(from), channel, frame)
await transport.start(heard)
console.log(transport.addresses[0])
process.stdin.on('end', () => void transport.stop())
process.stdin.resume()
