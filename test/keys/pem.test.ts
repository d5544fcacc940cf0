import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../crypto/index.ts'
import { secretKeyOfPem, secretKeyPem, seedOf } from '../../keys/pem.ts'
import { seedNamed } from './sample.ts'

/** The key of the seed "client admin", by `openssl pkcs8 -topk8 -scrypt`. */
const SCRYPT = `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGTME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAhWKBt8x6/GMgICQAAC
AQgCAQEwHQYJYIZIAWUDBAEqBBAsNcd1n9/uVMOugJzh8PkiBEAh+aOk0sleMVTL
BPnK+2fu6BM8HDgLXllz/UtpQ7dAbnru+MnJ6NmbWrjccMISGp9pealzoCztEtyG
8R3dptkL
-----END ENCRYPTED PRIVATE KEY-----
`
/** The same by `openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000`. */
const PBKDF2 = `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGcMFgGCSqGSIb3DQEFDTBLMCoGCSqGSIb3DQEFDDAdBAhpfjg3fG1mgAIDCSfA
MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBCKmdsijxD/5uFspSIvuxRgBEAy
QSYKboCTZK5Da+OHzcz7WXyBQhA9rMWTMdtmXZRoVuaTEOeyJlMkZ4q5uL8auIs7
StQXJxGQOYP4ez2mGynx
-----END ENCRYPTED PRIVATE KEY-----
`
const X25519 = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VuBCIEIDAykSNQIlhNgZV2kTOVmFMLeXig/duYlmOtbBXwPOtT
-----END PRIVATE KEY-----
`
const PASSPHRASE = 'correct horse'

const key = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seedNamed('client admin')]),
  format: 'der',
  type: 'pkcs8',
})

function load(text: string, passphrase?: string) {
  return secretKeyOfPem(utf8(text), 'key.pem', passphrase)
}

describe('secret key files', () => {
  it('are plain PKCS #8, and come back', () => {
    const text = secretKeyPem(key)
    expect(text).toMatch(/^-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=]{64}\n-----END PRIVATE KEY-----\n$/)
    expect(seedOf(load(text))).toEqual(seedNamed('client admin'))
    expect(seedOf(load(text, 'not needed'))).toEqual(seedNamed('client admin'))
  })

  it('are encrypted where a passphrase is given, and come back with it alone', () => {
    const text = secretKeyPem(key, PASSPHRASE)
    expect(text).toContain('BEGIN ENCRYPTED PRIVATE KEY')
    expect(seedOf(load(text, PASSPHRASE))).toEqual(seedNamed('client admin'))
    expect(() => load(text, 'Correct horse')).toThrow('key.pem: the passphrase is wrong, or the file is damaged')
    expect(() => load(text)).toThrow('key.pem is encrypted; give its passphrase with --passphrase-file')
  })

  it('are encrypted as documented: PBKDF2 with HMAC-SHA-256, 2048 iterations, 16 bytes of salt; AES-256-CBC', () => {
    const der = Buffer.from(secretKeyPem(key, PASSPHRASE).split('\n').slice(1, -2).join(''), 'base64').toString('hex')
    const pbes2 = '06092a864886f70d01050d'
    const pbkdf2 = '06092a864886f70d01050c'
    const salt = '0410[0-9a-f]{32}'
    const iterations = '02020800'
    const hmacSha256 = '300c06082a864886f70d02090500'
    const aes256cbc = '060960864801650304012a'
    expect(der).toMatch(new RegExp(`${pbes2}.{4,16}${pbkdf2}.{4}${salt}${iterations}${hmacSha256}.{4}${aes256cbc}`))
  })

  it.each([
    ['scrypt', SCRYPT],
    ['600,000 iterations', PBKDF2],
  ])('may be encrypted by openssl with %s', (_, text) => {
    expect(seedOf(load(text, PASSPHRASE))).toEqual(seedNamed('client admin'))
    expect(() => load(text, 'wrong')).toThrow('the passphrase is wrong')
  })

  it('may have the line breaks of Windows', () => {
    expect(seedOf(load(secretKeyPem(key).replaceAll('\n', '\r\n')))).toEqual(seedNamed('client admin'))
  })

  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
  it.each([
    ['nothing', '', 'key.pem is not a secret key in PKCS #8 PEM form'],
    [
      'a public key',
      '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
      'is not a secret key in PKCS #8 PEM form',
    ],
    [
      'OpenSSH',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n',
      'is not a secret key',
    ],
    ['two keys', secretKeyPem(key) + secretKeyPem(key), 'is not a secret key in PKCS #8 PEM form'],
    ['text around it', `hello\n${secretKeyPem(key)}`, 'is not a secret key in PKCS #8 PEM form'],
    ['an X25519 key', X25519, 'key.pem holds a x25519 key; an Ed25519 key is needed'],
    ['an RSA key', String(rsa.export({ type: 'pkcs8', format: 'pem' })), 'holds a rsa key; an Ed25519 key is needed'],
    ['a damaged key', secretKeyPem(key).replace('MC4C', 'MC5C'), 'key.pem is damaged'],
  ])('are refused: %s', (_, text, sentence) => {
    expect(() => load(text)).toThrow(sentence)
  })
})
