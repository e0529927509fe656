/**
 * The reference client of the sync protocol: HTTP only, no dependencies, Node 20+ and browsers.
 *
 * The *base copy* is what the server said; only pull and full resync write it. The *outbox* holds own
 * edits, each with a `mutation_id` for life. The *overlay*, the outbox laid over the base copy, is
 * what the application sees. An edit is pushed, answered with the version of its row, and leaves the
 * outbox when that row, known by its `mutation_id`, is pulled. When `since` passes its version without
 * it, a restored backup took it away: it is sent again. A failed request throws and changes nothing.
 */

const ZERO_HLC = '19700101T000000.000Z-0000';
const BATCH_CHANGES = 500;
const BATCH_CHARACTERS = 4_000_000;
const PULL_LIMIT = 1_000;
const FULL_LIMIT = 5_000;
const RESTARTS_MAX = 3;

/** A random id; pages over plain HTTP, other than on localhost, have no `crypto.randomUUID`. */
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const emptyCopy = (collections) => new Map(collections.map((name) => [name, new Map()]));

export class SyncClient {
  #options;
  #state; // since: the base copy's version, null = none; low: where the last full resync began
  #base; // collection → doc_id → { version, data }; data is null once deleted
  #outbox; // mutation_id → { change, answered: version or null }, in the order of the edits
  #overlay; // collection → doc_id → newest own change
  #offset = 0; // the server's clock minus ours, ms
  #node = newId().slice(0, 8);
  #last = Promise.resolve();
  /** The bearer token of all requests; replace it when it was renewed. */
  token;
  /** Called after each edit; live mode sends it then. */
  onEdit = () => {};

  /**
   * Options: `url`, `collections`; `token`, `clientId`, `headers`, `fetch`; `onRejected(change, result)`
   * for an edit that was refused for good; `save(state)`, awaited after changes: `saved` is the last.
   */
  constructor(options, saved = {}) {
    const { base = [], outbox = [], ...state } = saved;
    const { collections, clientId: client_id = newId() } = options;
    // One `since` covers all collections: with others than before, the base copy starts anew.
    const since = state.collections?.join() === collections.join() ? state.since : null;
    this.#options = options;
    this.token = options.token;
    this.#state = { client_id, low: ZERO_HLC, stamp: ZERO_HLC, ...state, collections, since };
    this.#base = emptyCopy(collections);
    for (const [name, documents] of base) this.#base.set(name, new Map(documents));
    this.#outbox = new Map(outbox.map((entry) => [entry.change.mutation_id, { ...entry }]));
    this.#layOver();
  }

  /** Number of own edits whose rows have not come back. */
  get pending() {
    return this.#outbox.size;
  }

  /** Number of own edits that wait to be pushed. */
  get unsent() {
    return [...this.#outbox.values()].filter(({ answered }) => answered === null).length;
  }

  /** What a stream needs to go on from here. */
  get place() {
    const { since, epoch, collections, client_id } = this.#state;
    const { url, headers } = this.#options;
    const known = epoch ?? undefined;
    return { url, scope_id: headers?.['Sync-Scope'], since, epoch: known, collections, client_id };
  }

  /** The document with own edits, undefined when there is none. Treat it as read-only. */
  get(collection, doc_id) {
    const own = this.#overlay.get(collection)?.get(doc_id);
    return (own ?? this.#base.get(collection)?.get(doc_id))?.data ?? undefined;
  }

  /** The documents of a collection as `{ doc_id, data }`. */
  list(collection) {
    const all = new Map([...this.#base.get(collection), ...this.#overlay.get(collection)]);
    return Array.from(all, ([doc_id, { data }]) => ({ doc_id, data })).filter(({ data }) => data);
  }

  /** Creates or replaces a document, visible at once; resolves with the mutation id when saved. */
  async put(collection, doc_id, data) {
    if (!this.#base.has(collection)) throw new RangeError(`"${collection}" is not synced here`);
    const own = this.#overlay.get(collection).get(doc_id);
    const below = this.#base.get(collection).get(doc_id)?.version ?? null;
    const change = {
      collection,
      operation: data === null ? 'delete' : 'upsert',
      doc_id,
      data: JSON.parse(JSON.stringify(data)), // a repeat must be equal to the first try
      // What the edit was made on: the server's version that the chain of own edits began on.
      parent_version: own ? own.parent_version : below,
      parent_mutation_id: own?.mutation_id ?? null,
      mutation_id: newId(),
      change_version: this.#nextStamp(),
    };
    this.#outbox.set(change.mutation_id, { change, answered: null });
    this.#overlay.get(collection).set(doc_id, change);
    await this.#save();
    this.onEdit();
    return change.mutation_id;
  }

  /** Deletes a document, likewise. */
  remove = (collection, doc_id) => this.put(collection, doc_id, null);
  /** Sends the outbox in the order of the edits. */
  push = () => this.#alone(() => this.#pushAll());
  /** Brings the base copy to the server's head, by full resync when the history is gone. */
  pull = () => this.#alone(() => this.#pullAll());

  /**
   * Push and pull; again while that put answered edits back into the queue. A server that takes no
   * pushes for now is read all the same: the edits stay in the outbox, `pending` counts them.
   */
  async sync() {
    for (let round = 0; round <= RESTARTS_MAX; round += 1) {
      const pushed = await this.push().catch((error) => {
        if (error.reason !== 'push_disabled') throw error;
        return 'later';
      });
      await this.pull();
      if (pushed === 'later' || this.#nextBatch(1).length === 0) return;
    }
  }

  /**
   * Takes `changes` of a stream of this `epoch`: all rows after version `after`, up to `last_seq`. False
   * when they do not follow what is here, and nothing is taken: pull, then begin another stream.
   */
  applyLive({ epoch, after, changes, last_seq }) {
    return this.#alone(() => {
      const { since } = this.#state;
      if (since === null || epoch !== this.place.epoch || after > since) return false;
      // A pull in between may have brought some of them or all.
      if (last_seq > since)
        this.#apply({ changes: changes.filter(({ version }) => version > since), last_seq });
      return true;
    });
  }

  async #pushAll() {
    let most = BATCH_CHANGES;
    for (let batch = this.#nextBatch(most); batch.length > 0; batch = this.#nextBatch(most)) {
      const results = await this.#send(batch).catch((error) => {
        if (error.status !== 413) throw error; // 413: too much for one push
        if (batch.length === 1) return [{ status: 'rejected', code: error.code }];
      });
      if (results === undefined) most = Math.ceil(batch.length / 2);
      else this.#settle(batch, results);
    }
  }

  #nextBatch(most) {
    const batch = [];
    let characters = 0;
    for (const entry of this.#outbox.values()) {
      if (entry.answered !== null) continue;
      const text = JSON.stringify(entry.change);
      characters += text.length;
      if (batch.length === most || (batch.length > 0 && characters > BATCH_CHARACTERS)) break;
      batch.push({ entry, text, id: entry.change.mutation_id });
    }
    return batch;
  }

  async #send(batch) {
    const changes = batch.map(({ text }) => text).join();
    const body = `{"client_id":${JSON.stringify(this.#state.client_id)},"changes":[${changes}]}`;
    const init = { method: 'POST', body, headers: { 'Content-Type': 'application/json' } };
    const { results } = await (await this.request('push', init)).json();
    if (batch.every(({ id }, i) => results[i].mutation_id === id)) return results;
    throw new Error('the answer does not fit the push');
  }

  #settle(batch, results) {
    for (const [i, { entry, id }] of batch.entries()) {
      const { status, resolution, new_version, duplicate } = results[i];
      // No row comes for these; one from before the last full resync is in the base copy already.
      const rowless = status === 'rejected' || resolution === 'current' || resolution === 'noop';
      if (rowless || (duplicate && new_version <= this.#state.low)) this.#outbox.delete(id);
      else entry.answered = new_version;
      if (status === 'rejected') this.#options.onRejected?.(entry.change, results[i]);
    }
    this.#layOver();
  }

  async #pullAll() {
    for (let [restarts, page] = [0]; page?.has_more !== false; ) {
      const { since, collections, epoch } = this.#state;
      const query = new URLSearchParams({ since, collections, limit: PULL_LIMIT });
      const headers = epoch ? { 'Sync-Epoch': epoch } : {};
      page = since && (await (await this.request(`pull?${query}`, { headers })).json());
      if (page?.has_more && page.last_seq === since) throw new Error('the pull does not advance');
      if (page?.changes) this.#apply(page);
      else if (restarts++ > RESTARTS_MAX) throw new Error('full resyncs outlast the kept history');
      else await this.#resync();
    }
  }

  #apply({ changes, last_seq }) {
    for (const { collection, doc_id, version, operation, data, ...row } of changes) {
      const documents = this.#base.get(collection);
      const later = documents.get(doc_id)?.version > version; // as a full resync may have shown it
      if (operation === 'remove') documents.delete(doc_id);
      else if (!later) documents.set(doc_id, { version, data });
      if (row.client_id === this.#state.client_id) this.#outbox.delete(row.mutation_id);
      this.#see(version);
      this.#see(row.change_version);
    }
    this.#state.since = last_seq;
    for (const entry of this.#outbox.values())
      if (entry.answered <= last_seq) entry.answered = null;
    this.#layOver();
  }

  /** Stages a whole walk, then replaces the base copy at once: a walk that breaks changes nothing. */
  async #resync() {
    const query = new URLSearchParams({ collections: this.#state.collections, limit: FULL_LIMIT });
    const staged = emptyCopy(this.#state.collections);
    let [end, epoch] = [{}];
    for (let next = this.request(`full?${query}`, {}); end.cursor !== null; ) {
      const response = await next;
      epoch = response.headers.get('Sync-Epoch');
      const lines = (await response.text()).trimEnd().split('\n');
      end = JSON.parse(lines.pop());
      if (end.type !== 'end' || end.count !== lines.length) throw new Error('the page was cut');
      query.set('cursor', end.cursor); // the next page is under way while this one is read
      if (end.cursor !== null) next = this.request(`full?${query}`, {});
      for (const line of lines) {
        const { collection, doc_id, version, data } = JSON.parse(line);
        staged.get(collection).set(doc_id, { version, data });
      }
    }
    this.#base = staged;
    Object.assign(this.#state, { since: end.last_seq, low: end.last_seq, epoch });
    this.#see(end.last_seq);
    // Only a repeat tells whether an answered edit is in what was read: it names the version.
    for (const entry of this.#outbox.values()) entry.answered = null;
  }

  /** Asks the server, as a push or pull does: the answer, or throws with `status` and `code`. */
  async request(path, { headers, ...init }) {
    const { url, headers: more, fetch: send = fetch } = this.#options;
    const all = { 'Sync-Protocol': '1', ...more, ...headers };
    if (this.token) all.Authorization = `Bearer ${this.token}`;
    const response = await send(`${url}/sync/${path}`, { ...init, headers: all });
    this.#offset = (Date.parse(response.headers.get('Sync-Time')) || Date.now()) - Date.now();
    if (response.ok) return response;
    const failed = await response.json().catch(() => ({}));
    const { error: code, message, retryable, details: { reason } = {} } = failed;
    throw Object.assign(new Error(message), { status: response.status, code, retryable, reason });
  }

  /** One piece of work after the other, pushes and pulls never overlap; then saves what it changed. */
  #alone(work) {
    const run = this.#last.then(work).finally(() => this.#save());
    this.#last = run.catch(() => {});
    return run;
  }

  #layOver() {
    this.#overlay = emptyCopy(this.#state.collections);
    for (const { change } of this.#outbox.values()) {
      this.#overlay.get(change.collection)?.set(change.doc_id, change);
    }
  }

  /** Hands out everything that must survive a restart, as plain JSON. */
  async #save() {
    if (this.#options.save === undefined) return;
    const base = [...this.#base].map(([name, documents]) => [name, [...documents]]);
    const outbox = [...this.#outbox.values()].map((entry) => ({ ...entry }));
    await this.#options.save({ ...this.#state, base, outbox });
  }

  #see(hlc) {
    if (hlc > this.#state.stamp) this.#state.stamp = hlc;
  }

  /** An HLC above everything seen before the edit, whatever this machine's clock says. */
  #nextStamp() {
    const { stamp } = this.#state;
    const iso = stamp.replace(/^(....)(..)(..T..)(..)(..\.\d+Z).*/, '$1-$2-$3:$4:$5');
    const [seen, now] = [Date.parse(iso), Date.now() + this.#offset];
    const count = now > seen ? 0 : Number.parseInt(stamp.slice(21, 25), 16) + 1;
    const ms = count > 0xffff ? seen + 1 : Math.max(now, seen); // a full counter: next millisecond
    const time = new Date(ms).toISOString().replace(/[-:]/g, '');
    this.#see(`${time}-${(count & 0xffff).toString(16).padStart(4, '0')}-${this.#node}`);
    return this.#state.stamp;
  }
}
