/** What the engine knows about one request. */

import type { Identity } from './ports/access.ts';

/** Caller, chosen scope and request id. `epoch` is the client's `Sync-Epoch` header, if any. */
export interface RequestContext {
  readonly identity: Identity;
  /** One of `identity.scope_ids`. */
  readonly scope_id: string;
  readonly request_id: string;
  readonly epoch?: string;
  /** Aborted when the caller is gone: work that has not started is dropped. */
  readonly signal?: AbortSignal;
}
