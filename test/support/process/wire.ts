/** Raw requests of one caller, for tests that need to see each answer. */

/** A change as it is pushed. */
export interface WireChange {
  readonly collection: string;
  readonly operation: 'upsert' | 'delete';
  readonly doc_id: string;
  readonly data: Record<string, unknown> | null;
  readonly parent_version: string | null;
  readonly mutation_id: string;
}

/** One result of a push. */
export interface WireResult {
  readonly mutation_id: string;
  readonly status: 'accepted' | 'conflict_resolved' | 'rejected';
  readonly new_version: string | null;
  readonly duplicate?: boolean;
  readonly [field: string]: unknown;
}

/** The answer to a push. */
export interface WireAnswer {
  readonly results: readonly WireResult[];
  readonly head: string;
  readonly bundle_seq: number | null;
}

/** A page of a pull; `full_resync_required` on a stale answer. */
export interface WirePage {
  readonly changes?: readonly {
    readonly version: string;
    readonly doc_id: string;
    readonly data?: unknown;
    readonly client_id: string;
    readonly mutation_id: string;
    readonly bundle_seq: number;
    readonly bundle_end: boolean;
  }[];
  readonly last_seq: string;
  readonly has_more: boolean;
  readonly head: string;
  readonly full_resync_required?: boolean;
  readonly reason?: string;
}

/** Version before the first one. */
export const ZERO_HLC = '19700101T000000.000Z-0000';

/** A request that the server answered with something else than 200. */
export class HttpFailure extends Error {
  readonly status: number;
  constructor(status: number, body: string) {
    super(`status ${status}: ${body.slice(0, 400)}`);
    this.name = 'HttpFailure';
    this.status = status;
  }
}

/** Who calls. `url` is read per request, because a restarted server may be elsewhere. */
export interface Caller {
  url: string;
  readonly token: string;
  readonly client_id: string;
}

/** Pushes changes. Throws `HttpFailure`, or what the socket failed with. */
export async function push(caller: Caller, changes: readonly WireChange[]): Promise<WireAnswer> {
  const body = JSON.stringify({ client_id: caller.client_id, changes });
  return (await send(caller, 'push', { method: 'POST', body })) as WireAnswer;
}

/** Pulls a page. */
export async function pull(caller: Caller, since: string, limit = 500): Promise<WirePage> {
  return (await send(caller, `pull?since=${since}&limit=${limit}`, {})) as WirePage;
}

async function send(caller: Caller, path: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(`${caller.url}/sync/${path}`, {
    ...init,
    headers: { Authorization: `Bearer ${caller.token}`, 'Content-Type': 'application/json' },
  });
  const text = await response.text();
  if (response.status !== 200) throw new HttpFailure(response.status, text);
  return JSON.parse(text) as unknown;
}
