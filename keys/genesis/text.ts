// Text of unknown origin inside our own sentences.

/** `text` in quotes, printable ASCII only (nothing in a file may steer a terminal), cut after `most` characters. */
export function quoted(text: string, most = 80): string {
  const shown = text.length > most ? `${text.slice(0, most)}...` : text
  return JSON.stringify(shown).replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A lower-case DNS label (RFC 1123 section 2.1): 1 to 63 letters, digits and inner hyphens. */
export const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
