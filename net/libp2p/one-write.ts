// Noise hands its output over in parts (length, ciphertext, tag), and the TCP transport writes each of them: three
// system calls and, without Nagle's delay, three packets. Joined, they are one; copying them costs less than a second
// call.

import type { MessageStream } from '@libp2p/interface'

/** From now on, each send of `connection` is one write. */
export function oneWrite(connection: MessageStream): void {
  const send = connection.send.bind(connection)
  connection.send = (data) => send(data instanceof Uint8Array ? data : data.subarray())
}
