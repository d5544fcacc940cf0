// Who answers whom in the floor.

export interface Answering {
  readonly replica: number
  readonly client: number
  readonly replicas: number
  /** Replicas that must say the same, so that an honest one is among them. */
  readonly trust: number
}

/** True for `trust` of the replicas: those from the one that the client's number falls on, so that each answers as many clients. */
export function answers({ replica, client, replicas, trust }: Answering): boolean {
  return (replica + replicas - (client % replicas)) % replicas < trust
}
