// Why a command of the system is refused: the agreed result, which no replica may word differently.

export type Refusal =
  /** Neither an admin, nor the operator of the one member that the command is about. */
  | 'not-an-admin'
  | 'malformed'
  /** A change was accepted, and its epoch has not begun: one at a time. */
  | 'change-in-flight'
  /** The change begins from another membership than the one in office. */
  | 'stale-base'
  | 'no-such-member'
  | 'no-such-client'
  /** The change changes nothing by its own account. */
  | 'no-edits'
  /** The key is a member's or a client's, or was a member's once: none comes back. */
  | 'key-in-use'
  /** No admissible Ed25519 key. */
  | 'bad-key'
  | 'bad-possession'
  /** What a new member says it holds is no checkpoint that counts here, or it did not say so. */
  | 'not-joined'
  | 'join-too-old'
  | 'bad-address'
  | 'quorum-rule'
  | 'bad-parameter'
  /** More admins would have to agree than there are. */
  | 'threshold'
  /** Fewer admins would be left than must agree. */
  | 'last-admin'
  /** All of it is so already. */
  | 'unchanged'
  | 'too-many-epochs'
  | 'bad-name'
  | 'name-in-use'
  | 'too-many-clients'
  | 'no-such-proposal'
  | 'proposals-full'
