// `quorate replica`: one replica, on the host that it is for, until it is told to stop.

import type { Command } from '../command.ts'

export const replica: Command = {
  name: 'replica',
  describe: 'Run one replica of a keyset until SIGINT or SIGTERM',
  arguments: [{ name: 'DIR', describe: 'the keyset (default: QUORATE_CLUSTER or ./quorate-cluster)', optional: true }],
  options: [
    { flags: '--index <i>', describe: 'which replica, from 0', required: true },
    { flags: '--config <file>', describe: 'its config file (default: DIR/replica-I/config.yaml where that exists)' },
    { flags: '--data <path>', describe: 'the folder of its store (default: DIR/replica-I/data)' },
    { flags: '--durability <level>', describe: 'fsync, os or memory (default: fsync)' },
    { flags: '--liar <behaviour>', describe: 'lie on purpose, such as equivocate' },
    {
      flags: '--listen <address>',
      describe: 'a multiaddr to listen on instead of those in the genesis',
      repeatable: true,
    },
    { flags: '--metrics-port <port>', describe: 'serve Prometheus metrics and /healthz on this loopback port' },
    { flags: '--passphrase-file <file>', describe: 'of its secret keys (or set QUORATE_PASSPHRASE)' },
  ],
  examples: [
    ['quorate replica ./prod --index 2', 'replica 2, on the addresses that the genesis lists for it'],
    ['quorate replica --index 0 --data /var/lib/quorate --metrics-port 9400', 'with its store elsewhere, and metrics'],
    ['quorate replica --index 1 --liar equivocate', 'one that offers different entries to different replicas'],
  ],
  async run(input, context) {
    const { settingsOf } = await import('../serve/settings.ts')
    const settings = await settingsOf(input, context)
    // libp2p takes long to load; other commands, and settings that are refused, should not wait for it.
    const [{ serve }, { boundHeap }] = await Promise.all([import('../serve/serve.ts'), import('../engine.ts')])
    return serve(settings, context, { onStarted: () => boundHeap() })
  },
}
