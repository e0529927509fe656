/** Who is calling and what they may touch. */

/** An authenticated caller. `client_id` is no part of it: it authorises nothing. */
export interface Identity {
  readonly actor_id: string;
  /** Scopes of the token, at least one. */
  readonly scope_ids: readonly string[];
}

/** What a caller wants to do with a collection. */
export type Action = 'push' | 'pull' | 'full' | 'stream';

/** Turns request headers into an identity, and answers whether it may touch a collection. */
export interface Access {
  /**
   * `authorization` is the raw header, undefined when absent.
   * Throws `SyncError` `authentication_failed` or `scope_missing`.
   */
  authenticate(authorization: string | undefined): Promise<Identity>;
  authorize(identity: Identity, collection: string, action: Action): boolean;
}
