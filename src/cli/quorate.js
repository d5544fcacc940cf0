#!/usr/bin/env node
// The command `quorate`. Plain JavaScript that every Node since 12 parses, so that an old one gets a sentence instead
// of a syntax error. In a checkout the sources beside this file run as they are; the published package has them built
// in dist/.

// biome-ignore lint/style/useNodejsImportProtocol: Node 12 does not know the prefix
import { existsSync } from 'fs'
// biome-ignore lint/style/useNodejsImportProtocol: Node 12 does not know the prefix
import * as modules from 'module'
// biome-ignore lint/style/useNodejsImportProtocol: Node 12 does not know the prefix
import { fileURLToPath } from 'url'

const NEEDED = 24

const version = process.versions.node
if (Number(version.split('.')[0]) < NEEDED) {
  console.error(`quorate needs Node ${NEEDED} or newer; this is v${version}. In a checkout run it as \`npx quorate\`.`)
  process.exitCode = 2
} else {
  const source = new URL('./main.ts', import.meta.url)
  const built = new URL('../../dist/src/cli/main.js', import.meta.url)
  const fromSource = existsSync(source)
  // What Node made of the sources is kept, beside the packages that they came with: half of a short command's time is making it.
  if (fromSource) modules.enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/node', import.meta.url)))
  import(fromSource ? source : built)
    .then((module) => module.runProcess())
    .catch((error) => {
      console.error(error)
      process.exitCode = 70
    })
}
