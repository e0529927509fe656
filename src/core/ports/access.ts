/** Who is calling and what they may touch. */

/** An authenticated caller. `client_id` is no part of it: it authorises nothing. */
export interface Identity {
  readonly actor_id: string;
  /** Scopes of the token, at least one. */
  readonly scope_ids: readonly string[];
  /** When the proof of it ends, ms since 1970, tolerance included; absent = only a new look tells. */
  readonly expires_ms?: number;
}

/** What a caller wants to do with a collection. */
export type Action = 'push' | 'pull' | 'full' | 'stream';

/** The request that an identity is asked of: whatever its headers hold. */
export interface AskedRequest {
  readonly headers: { get(name: string): string | null };
}

/** Turns request headers into an identity, and answers whether it may touch a collection. */
export interface Access {
  /**
   * `authorization` is the raw header, undefined when absent; `request` is for those who know their
   * callers by something else. Throws `SyncError` `authentication_failed` or `scope_missing`.
   */
  authenticate(authorization: string | undefined, request?: AskedRequest): Promise<Identity>;
  authorize(identity: Identity, collection: string, action: Action): boolean;
}
