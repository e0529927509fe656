/** Somebody of one scope who tries every way into another one, and keeps nothing but counts. */

import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Seeded } from './seeded.ts';
import { type WireAnswer, ZERO_HLC } from './wire.ts';

/** What a stranger knows. */
export interface StrangerOptions {
  readonly url: string;
  readonly token: string;
  readonly random: Seeded;
  /** The other scope. */
  readonly scope_id: string;
  /** Documents of the other scope. */
  readonly doc_ids: readonly string[];
  /** Versions of both scopes. */
  versions(): readonly string[];
  /** Mutations of the other scope with the version that each was answered. */
  mutations(): ReadonlyMap<string, string>;
}

const COLLECTIONS = ['tasks', 'notes'];
/** How long a stream is listened to at most, ms. */
const LISTEN_MS = 400;

type Way = (stranger: Stranger) => Promise<void>;

/** See the file's comment. */
export class Stranger {
  /** Mutations of the other scope that were answered as if they had been the stranger's. */
  readonly answeredTwice: string[] = [];
  readonly #options: StrangerOptions;
  readonly #tried = new Map<string, number>();
  readonly #answers = new Map<string, number>();
  readonly #gone = new AbortController();

  constructor(options: StrangerOptions) {
    this.#options = options;
  }

  /** One random attempt. */
  async act(): Promise<void> {
    const name = this.#options.random.pick(Object.keys(WAYS));
    this.#tried.set(name, (this.#tried.get(name) ?? 0) + 1);
    await (WAYS[name] as Way)(this);
  }

  /** Ends what is still open. */
  leave(): void {
    this.#gone.abort();
  }

  unused(): string[] {
    return Object.keys(WAYS).filter((name) => !this.#tried.has(name));
  }

  summary(): string {
    return [...this.#answers].map(([answer, count]) => `${answer}: ${count}`).join(', ');
  }

  get random(): Seeded {
    return this.#options.random;
  }

  get scope_id(): string {
    return this.#options.scope_id;
  }

  /** A place to begin: the beginning, now, or a row of either scope. */
  since(): string | null {
    const { random } = this;
    const versions = [...this.#options.versions()].filter(() => random.chance(0.5));
    return random.pick([ZERO_HLC, null, ...versions]);
  }

  /** A request whose answer is read to its end. Never compressed, so that it can be searched. */
  async ask(path: string, init: RequestInit = {}): Promise<string> {
    const signal = AbortSignal.any([this.#gone.signal, AbortSignal.timeout(LISTEN_MS * 10)]);
    const response = await fetch(`${this.#options.url}${path}`, {
      ...init,
      signal,
      headers: {
        Authorization: `Bearer ${this.#options.token}`,
        'Accept-Encoding': 'identity',
        'Content-Type': 'application/json',
        ...(init.headers as Record<string, string>),
      },
    });
    this.#note(`status ${response.status}`);
    return response.text();
  }

  /** Reads events for a moment. */
  async listen(path: string, headers: Record<string, string> = {}): Promise<void> {
    const over = AbortSignal.timeout(LISTEN_MS);
    try {
      const response = await fetch(`${this.#options.url}${path}`, {
        signal: AbortSignal.any([over, this.#gone.signal]),
        headers: { Authorization: `Bearer ${this.#options.token}`, ...headers },
      });
      this.#note(`events ${response.status}`);
      await response.text();
    } catch (error) {
      if (!over.aborted && !this.#gone.signal.aborted) throw error;
    }
  }

  /** A socket that says these things one after another and listens for a moment. */
  async say(
    messages: readonly (object | string | Buffer)[],
    headers: Record<string, string> = {},
  ): Promise<void> {
    const ws = new WebSocket(`${this.#options.url.replace('http', 'ws')}/sync/stream`, {
      headers: { Authorization: `Bearer ${this.#options.token}`, ...headers },
    });
    const closed = new Promise<number>((resolve) => ws.on('close', resolve));
    ws.on('error', () => {});
    ws.on('open', async () => {
      for (const message of messages) {
        const isRaw = typeof message === 'string' || Buffer.isBuffer(message);
        ws.send(isRaw ? message : JSON.stringify(message));
        await pause(20);
      }
    });
    const code = await Promise.race([closed, pause(LISTEN_MS, undefined)]);
    this.#note(code === undefined ? 'socket stayed' : `close ${code}`);
    ws.close();
    await Promise.race([closed, pause(LISTEN_MS)]);
    ws.terminate();
  }

  /** Pushes to a document of the other scope, under one of its mutations or a new one. */
  async pushForeign(): Promise<void> {
    const { random, doc_ids, mutations, versions } = this.#options;
    const foreign = mutations();
    const mutation_id = random.chance(0.5) ? random.pick([...foreign.keys()]) : random.uuid();
    const change = {
      ...{ collection: random.pick(COLLECTIONS), doc_id: random.pick(doc_ids), mutation_id },
      operation: random.chance(0.3) ? 'delete' : 'upsert',
      parent_version: random.chance(0.5) ? random.pick(versions()) : null,
    };
    const data = change.operation === 'delete' ? null : { mine: 'sparrow' };
    const body = JSON.stringify({ client_id: 'stranger', changes: [{ ...change, data }] });
    const text = await this.ask('/sync/push', { method: 'POST', body });
    const { results = [] } = JSON.parse(text) as Partial<WireAnswer>;
    for (const { new_version } of results) {
      if (foreign.get(mutation_id) === new_version) this.answeredTwice.push(mutation_id);
    }
  }

  #note(answer: string): void {
    this.#answers.set(answer, (this.#answers.get(answer) ?? 0) + 1);
  }
}

const WAYS: Readonly<Record<string, Way>> = {
  subscribe: (one) =>
    one.say([{ type: 'subscribe', since: one.since(), collections: COLLECTIONS }]),
  subscribe_to_unknown: (one) =>
    one.say([{ type: 'subscribe', since: ZERO_HLC, collections: ['tasks', 'sync_oplog'] }]),
  subscribe_to_scope: (one) =>
    one.say([{ type: 'subscribe', since: one.since(), scope_id: one.scope_id }]),
  subscribe_again: (one) =>
    one.say([
      { type: 'subscribe', since: ZERO_HLC },
      { type: 'subscribe', since: one.since(), collections: ['notes'] },
      { type: 'subscribe', since: one.since(), scope_id: one.scope_id },
    ]),
  scope_in_handshake: (one) =>
    one.say([{ type: 'subscribe', since: ZERO_HLC }], {
      'Sync-Scope': encodeURIComponent(one.scope_id),
    }),
  bad_token: (one) => one.say([{ type: 'subscribe', since: ZERO_HLC, token: 'a.b.c' }]),
  no_token: (one) =>
    one.say([{ type: 'subscribe', since: ZERO_HLC }], { Authorization: 'Bearer x.y.z' }),
  other_epoch: (one) => one.say([{ type: 'subscribe', since: one.since(), epoch: 'other' }]),
  junk: (one) => one.say([one.random.pick<string | Buffer>(['{', Buffer.from([1, 2]), '[]'])]),
  signals: (one) =>
    one.say([
      { type: 'subscribe', since: null },
      { type: 'ping' },
      { type: 'unsubscribe' },
      { type: 'subscribe', since: one.since() },
    ]),
  events: (one) => one.listen(`/sync/events?data=1${sinceOf(one)}`),
  events_from_row: (one) =>
    one.listen('/sync/events?data=1', { 'Last-Event-ID': one.since() ?? ZERO_HLC }),
  events_of_scope: (one) =>
    one.listen('/sync/events?data=1', { 'Sync-Scope': encodeURIComponent(one.scope_id) }),
  watch: (one) => one.listen(`/sync/watch?ping=event${sinceOf(one)}`),
  pull: async (one) => void (await one.ask(`/sync/pull?since=${one.since() ?? ZERO_HLC}`)),
  pull_scope: async (one) => {
    const headers = { 'Sync-Scope': encodeURIComponent(one.scope_id) };
    await one.ask(`/sync/pull?since=${ZERO_HLC}`, { headers });
  },
  full: async (one) =>
    void (await one.ask(`/sync/full?collections=${one.random.pick(COLLECTIONS)}`)),
  status: async (one) => void (await one.ask(`/sync/status?since=${one.since() ?? ZERO_HLC}`)),
  subscribers: async (one) => void (await one.ask('/sync/subscribers')),
  metrics: async (one) => void (await one.ask('/metrics')),
  push: (one) => one.pushForeign(),
};

function sinceOf(one: Stranger): string {
  const since = one.since();
  return since === null ? '' : `&since=${since}`;
}
