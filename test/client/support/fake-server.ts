/**
 * A server of the protocol in one object, without a socket: what a client of it must survive can be
 * scripted exactly. It keeps the promises of the real one (rows in order, receipts, low-water full
 * resync) and shares no code with it.
 */

import type { ClientChange } from '../../../examples/minimal-client.mjs';

const ZERO = '19700101T000000.000Z-0000';
const START_MS = Date.UTC(2026, 4, 2, 12);

type Data = Record<string, unknown> | null;

/** A row as pull delivers it. */
export interface Row {
  /** Number of the push or write that made it. */
  readonly bundle: number;
  readonly version: string;
  readonly collection: string;
  readonly doc_id: string;
  readonly operation: string;
  readonly data: Data;
  readonly client_id: string | null;
  readonly mutation_id: string | null;
  readonly change_version: string | null;
}

interface State {
  rows: Row[];
  /** Rows up to this index are gone from the log. */
  pruned: number;
  documents: Map<string, Row>;
  receipts: Map<string, { version: string; resolution: string }>;
}

/** One request as it arrived. */
export interface Asked {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: { client_id: string; changes: ClientChange[] } | undefined;
}

/** What goes wrong with a request; gets the honest answer where one is needed. */
export type Mishap = (asked: Asked, answer: () => Response) => Response | Promise<Response>;

/** The request is carried out and its answer lost. */
export const loseAnswer: Mishap = (_, answer) => {
  answer();
  throw new TypeError('fetch failed');
};

/** The request never arrives. */
export const loseRequest: Mishap = () => {
  throw new TypeError('fetch failed');
};

/** The answer is an error of the catalogue. */
export function refuse(status: number, error: string, details?: { reason: string }): Mishap {
  const body = { error, message: `refused: ${error}`, retryable: false, details };
  return () => Response.json(body, { status });
}

/** The body of the answer ends after a part of its lines. */
export function cutAfter(lines: number): Mishap {
  return async (_, answer) => {
    const response = answer();
    const text = (await response.text()).split('\n').slice(0, lines).join('\n');
    return new Response(`${text}\n`, { headers: response.headers });
  };
}

/** One line of the body is missing, the last one is there. */
export function dropLine(line: number): Mishap {
  return async (_, answer) => {
    const response = answer();
    const lines = (await response.text()).split('\n').filter((_line, i) => i !== line);
    return new Response(lines.join('\n'), { headers: response.headers });
  };
}

/** The server; `fetch` is what a client is given. */
export class FakeServer {
  /** Every request that arrived, in order. */
  readonly asked: Asked[] = [];
  /** Mishaps of the next requests to a path ("push", "pull", "full"), in order. */
  readonly mishaps: Record<'push' | 'pull' | 'full', Mishap[]> = { push: [], pull: [], full: [] };
  /** Ids whose changes are refused, with the code. */
  readonly refused = new Map<string, string>();
  epoch = 'epoch-1';
  pageLimit = 1_000;
  fullLimit = 5_000;
  now = START_MS;
  /** Told after each push and write. */
  committed = (): void => {};
  #state: State = { rows: [], pruned: 0, documents: new Map(), receipts: new Map() };
  #count = 0;
  #bundle = 0;

  readonly fetch = (url: string, init: RequestInit = {}): Promise<Response> =>
    this.receive(url, init);

  async receive(url: string, init: RequestInit): Promise<Response> {
    const { pathname, searchParams } = new URL(url);
    const path = pathname.replace(/^\/sync\//, '') as 'push' | 'pull' | 'full';
    const body = init.body === undefined ? undefined : JSON.parse(String(init.body));
    const asked = { path, query: searchParams, headers: new Headers(init.headers), body };
    this.asked.push(asked);
    const answer = (): Response => this.#answer(asked);
    const mishap = this.mishaps[path].shift();
    return mishap === undefined ? answer() : mishap(asked, answer);
  }

  /** Version of the newest row. */
  get head(): string {
    return this.#state.rows.at(-1)?.version ?? ZERO;
  }

  get rows(): readonly Row[] {
    return this.#state.rows;
  }

  /** The current documents of a collection. */
  documents(collection: string): Record<string, Data> {
    const live = [...this.#state.documents.values()].filter(
      (row) => row.collection === collection && row.data !== null,
    );
    return Object.fromEntries(live.map((row) => [row.doc_id, row.data]));
  }

  /** Writes as another client would; a `stamp` in the document is the edit's stamp. */
  write(collection: string, doc_id: string, data: Data): string {
    this.writeBundle([[collection, doc_id, data]]);
    return this.head;
  }

  /** Writes some documents as one bundle. */
  writeBundle(edits: readonly (readonly [string, string, Data])[]): void {
    this.#bundle += 1;
    for (const [collection, doc_id, data] of edits) {
      const change_version = typeof data?.['stamp'] === 'string' ? data['stamp'] : null;
      const author = { client_id: 'other', mutation_id: null, change_version };
      this.#add({ collection, doc_id, data, ...author });
    }
    this.committed();
  }

  /** Forgets the oldest rows of the log, all but `keep`. */
  prune(keep = 0): void {
    this.#state.pruned = this.#state.rows.length - keep;
  }

  /** What a backup would hold. */
  backup(): unknown {
    return structuredClone(this.#state);
  }

  /** Goes back to a backup, without a new epoch. */
  restore(backup: unknown): void {
    this.#state = structuredClone(backup) as State;
  }

  /** Requests to one path. */
  requests(path: string): readonly Asked[] {
    return this.asked.filter((asked) => asked.path === path);
  }

  #answer(asked: Asked): Response {
    const headers = { 'Sync-Epoch': this.epoch, 'Sync-Time': new Date(this.now).toISOString() };
    if (asked.path === 'full') return new Response(this.#full(asked), { headers });
    const body = asked.path === 'push' ? this.#push(asked) : this.#pull(asked);
    return Response.json(body, { headers });
  }

  #push({ body }: Asked): object {
    const { client_id, changes } = body as { client_id: string; changes: ClientChange[] };
    this.#bundle += 1;
    const results = changes.map((change, index) => {
      const { collection, doc_id, mutation_id } = change;
      return { index, collection, doc_id, mutation_id, ...this.#decide(client_id, change) };
    });
    this.committed();
    return { results, head: this.head, bundle_seq: null };
  }

  #decide(client_id: string, change: ClientChange): object {
    const known = this.#state.receipts.get(change.mutation_id);
    if (known) return { ...accepted(known.resolution, known.version), duplicate: true };
    const code = this.refused.get(change.doc_id);
    if (code) return { status: 'rejected', code, error: code, new_version: null, resolution: null };
    const current = this.#state.documents.get(`${change.collection}/${change.doc_id}`);
    if (current && JSON.stringify(current.data) === JSON.stringify(change.data)) {
      return accepted('noop', current.version);
    }
    const resolution = this.#resolution(change, current);
    if (resolution === 'current') {
      this.#state.receipts.set(change.mutation_id, { version: '', resolution });
      return { ...accepted(resolution, null), data: current?.data ?? null };
    }
    const { collection, doc_id, data, mutation_id, change_version } = change;
    const row = { collection, doc_id, data, client_id, mutation_id, change_version };
    const version = this.#add(row);
    this.#state.receipts.set(mutation_id, { version, resolution });
    return accepted(resolution, version);
  }

  #resolution(change: ClientChange, current: Row | undefined): string {
    const parent = this.#state.receipts.get(change.parent_mutation_id ?? '')?.version;
    const made = [change.parent_version, parent];
    if (current === undefined || made.includes(current.version)) return 'applied';
    const stamp = current.change_version ?? current.version;
    return change.change_version > stamp ? 'incoming' : 'current';
  }

  #add(row: Omit<Row, 'bundle' | 'version' | 'operation'>): string {
    this.now += 1;
    this.#count += 1;
    const time = new Date(this.now).toISOString().replace(/[-:]/g, '');
    const version = `${time}-0000-n${String(this.#count).padStart(6, '0')}`;
    const bundle = this.#bundle;
    const full = { ...row, bundle, version, operation: row.data === null ? 'delete' : 'upsert' };
    this.#state.rows.push(full);
    this.#state.documents.set(`${row.collection}/${row.doc_id}`, full);
    return version;
  }

  #pull({ query, headers }: Asked): object {
    const since = query.get('since') as string;
    const { rows, pruned } = this.#state;
    const at = rows.findIndex(({ version }) => version === since);
    const reason = this.staleReason(since, headers.get('Sync-Epoch'));
    const collections = query.get('collections')?.split(',') ?? [];
    if (reason !== undefined) {
      return {
        full_resync_required: true,
        reason,
        collections,
        head: this.head,
        epoch: this.epoch,
      };
    }
    const from = Math.max(at + 1, pruned);
    const page = rows.slice(from, from + this.pageLimit);
    return {
      changes: page.filter(({ collection }) => collections.includes(collection)),
      last_seq: page.at(-1)?.version ?? since,
      has_more: from + page.length < rows.length,
      head: this.head,
    };
  }

  /** Why rows after `since` cannot be told. */
  staleReason(since: string, epoch: string | null): string | undefined {
    const at = this.rows.findIndex(({ version }) => version === since);
    if (epoch !== null && epoch !== this.epoch) return 'epoch_changed';
    if (since === this.head || (since === ZERO && this.#state.pruned === 0)) return undefined;
    if (since > this.head) return 'cursor_ahead';
    if (at === -1) return 'chain_broken';
    return at + 1 < this.#state.pruned ? 'history_pruned' : undefined;
  }

  /** Cursor: index of the next document and the low-water head of the walk. */
  #full({ query }: Asked): string {
    const [from, low] = (query.get('cursor') ?? `0@${this.head}`).split('@') as [string, string];
    const collections = query.get('collections')?.split(',') ?? [];
    const all = [...this.#state.documents.values()].filter((row) =>
      collections.includes(row.collection),
    );
    const end = Number(from) + this.fullLimit;
    const lines: object[] = all.slice(Number(from), end).map((row) => ({
      collection: row.collection,
      doc_id: row.doc_id,
      data: row.data,
      deleted: row.data === null,
      version: row.version,
    }));
    const cursor = end < all.length ? `${end}@${low}` : null;
    const trailer = { type: 'end', count: lines.length, cursor, last_seq: low };
    return [...lines, trailer].map((line) => `${JSON.stringify(line)}\n`).join('');
  }
}

function accepted(resolution: string, new_version: string | null): object {
  const status =
    resolution === 'incoming' || resolution === 'current' ? 'conflict_resolved' : 'accepted';
  return { status, resolution, new_version, error: null };
}
