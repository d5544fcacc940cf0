// Why the cluster refused a command of the system, for people.

const SENTENCES: Readonly<Record<string, string>> = Object.freeze({
  'not-an-admin': 'the cluster refused: this client is no admin; name one with --client',
  'no-such-client': 'the cluster refused: it has no such client',
  'key-in-use': 'the cluster refused: this key is a client or a member already, or was a member once',
  'bad-key': 'the cluster refused: this is no admissible Ed25519 key',
  'bad-possession': 'the cluster refused: the proof that somebody holds this key is wrong',
  'bad-name': 'the cluster refused: a name has 1 to 63 lower-case letters, digits and dashes, with no dash at an end',
  'name-in-use': 'the cluster refused: another client has this name',
  'too-many-clients': 'the cluster refused: it has as many clients as it can have; remove one first',
  'last-admin': 'the cluster refused: fewer admins would be left than must agree; make another admin first',
  unchanged: 'the cluster refused: it is so already',
  malformed: 'the cluster refused: it does not know such a command; is it an older version?',
  'change-in-flight':
    'the cluster refused: another change was accepted and its epoch has not begun; wait for it (quorate epochs), and try again',
  'stale-base':
    'the cluster refused: the members changed since this was made; look at quorate epochs, and let new members join again',
  'no-such-member': 'the cluster refused: it has no such member',
  'no-edits': 'the cluster refused: nothing is to be changed',
  'not-joined':
    'the cluster refused: the new member did not show that it holds a state of this epoch; run quorate member join again',
  'join-too-old':
    'the cluster refused: the state that the new member holds is too old by now; run quorate member join again',
  'bad-address': 'the cluster refused: an address is none, or another member has it',
  'quorum-rule':
    'the cluster refused: so few members cannot bear so many faults; change --byzantine or --crash with it',
  'bad-parameter': 'the cluster refused: a parameter does not fit these members',
  threshold: 'the cluster refused: more admins would have to agree than there are',
  'too-many-epochs': 'the cluster refused: it has had as many epochs as it can have',
  'no-such-proposal': 'the cluster refused: nothing of that name is proposed; it was done, dropped, or never there',
  'proposals-full': 'the cluster refused: too much is proposed already; approve or withdraw something first',
})

/** One sentence for the code of a refusal; one that this version does not know is told as it is. */
export function sentenceOf(code: string): string {
  return SENTENCES[code] ?? `the cluster refused: ${code}`
}
