/** Types of the reference client. */

/** An edit as it is pushed. */
export interface ClientChange {
  readonly collection: string;
  readonly operation: 'upsert' | 'delete';
  readonly doc_id: string;
  readonly data: Record<string, unknown> | null;
  readonly parent_version: string | null;
  readonly parent_mutation_id: string | null;
  readonly mutation_id: string;
  readonly change_version: string;
}

/** The answer to a refused edit. */
export interface ClientRejection {
  readonly status: 'rejected';
  readonly code: string;
  readonly error?: string;
  readonly [field: string]: unknown;
}

/** What `save` gets and the constructor takes back: plain JSON. */
export interface ClientState {
  readonly client_id: string;
  readonly collections: readonly string[];
  readonly since: string | null;
  readonly low: string;
  readonly stamp: string;
  readonly epoch?: string | null;
  readonly base: readonly (readonly [
    string,
    readonly (readonly [string, { version: string; data: Record<string, unknown> | null }])[],
  ])[];
  readonly outbox: readonly { readonly change: ClientChange; readonly answered: string | null }[];
}

/** Options of a client. */
export interface ClientOptions {
  readonly url: string;
  readonly collections: readonly string[];
  readonly token?: string;
  readonly clientId?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  readonly save?: (state: ClientState) => Promise<void> | void;
  readonly onRejected?: (change: ClientChange, result: ClientRejection) => void;
}

/** Rows of a stream, all of them after `after` and up to `last_seq`. */
export interface LiveBatch {
  readonly epoch: string | undefined;
  readonly after: string;
  readonly changes: readonly LiveRow[];
  readonly last_seq: string;
}

/** A row as a pull gives it. */
export interface LiveRow {
  readonly version: string;
  readonly collection: string;
  readonly doc_id: string;
  readonly operation: string;
  readonly data: Record<string, unknown> | null;
  readonly [field: string]: unknown;
}

/** A failed request: the server's code, and whether a repeat can help. */
export interface RequestError extends Error {
  readonly status: number;
  readonly code?: string;
  readonly retryable?: boolean;
}

/** The reference client. */
export declare class SyncClient {
  constructor(options: ClientOptions, saved?: Partial<ClientState>);
  /** Number of own edits whose rows have not come back. */
  get pending(): number;
  /** Number of own edits that wait to be pushed. */
  get unsent(): number;
  /** What a stream needs to go on from here. */
  get place(): {
    readonly url: string;
    readonly scope_id: string | undefined;
    readonly since: string | null;
    readonly epoch: string | undefined;
    readonly collections: readonly string[];
    readonly client_id: string;
  };
  /** The bearer token of all requests; replace it when it was renewed. */
  token: string | undefined;
  /** Called after each edit; live mode sends it then. */
  onEdit: () => void;
  get(collection: string, doc_id: string): Record<string, unknown> | undefined;
  list(collection: string): { doc_id: string; data: Record<string, unknown> }[];
  put(collection: string, doc_id: string, data: Record<string, unknown> | null): Promise<string>;
  remove(collection: string, doc_id: string): Promise<string>;
  push(): Promise<void>;
  pull(): Promise<void>;
  sync(): Promise<void>;
  /** False when the rows do not follow what is here: nothing is taken. */
  applyLive(batch: LiveBatch): Promise<boolean>;
  /** Asks the server, as a push or pull does: the answer, or throws a `RequestError`. */
  request(path: string, init: RequestInit): Promise<Response>;
}
