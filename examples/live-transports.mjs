/**
 * Parts of live-client.mjs: the three ways in which it hears of changes, and how rows come into the
 * client. A transport gets `frame(text, type?)` for what arrives, `heard()` for a sign of life,
 * `end(code)` when it is over, and a `signal` that tells it to close. What it throws ends it too.
 */

/** Close codes of the WebSocket; the ends of other transports are translated to them. */
export const CODES = {
  LOST: 1006,
  SHUTDOWN: 1012,
  SLOW: 1013,
  BETTER: 4000, // ours: a better transport is due
  ODD: 4001, // ours: what came does not fit
  UNAUTHENTICATED: 4401,
  FORBIDDEN: 4403,
  RESYNC: 4410,
  FLOOD: 4429,
};

const OF_STATUS = { 401: CODES.UNAUTHENTICATED, 403: CODES.FORBIDDEN, 429: CODES.FLOOD };
const OF_ERROR = {
  authentication_failed: CODES.UNAUTHENTICATED,
  collection_forbidden: CODES.FORBIDDEN,
  scope_forbidden: CODES.FORBIDDEN,
  rate_limited: CODES.FLOOD,
};

/** The close code that says the same as a failed request. */
export const codeOf = (error) => OF_STATUS[error.status] ?? CODES.LOST;

async function websocket({ client, WebSocket, frame, heard, end, signal }) {
  heard();
  const { url, ...place } = client.place;
  const { href } = new URL(`${url}/sync/stream`, globalThis.location);
  const socket = new WebSocket(href.replace(/^http/, 'ws'));
  const subscribe = { type: 'subscribe', token: client.token, ...place };
  signal.addEventListener('abort', () => socket.close());
  socket.onerror = () => end(CODES.LOST); // nothing else follows when the page's policy forbids it
  socket.onopen = () => {
    socket.onerror = () => {}; // a close follows, with its code
    socket.send(JSON.stringify(subscribe));
  };
  socket.onmessage = ({ data }) => frame(data);
  socket.onclose = ({ code }) => end(code);
}

/** With fetch, because an EventSource sends no Authorization header. */
async function events({ client, frame, heard, end, signal }) {
  heard();
  const { since, collections, client_id, epoch } = client.place;
  const query = new URLSearchParams({ since, collections, client_id, data: 1 });
  const headers = { Accept: 'text/event-stream', ...(epoch && { 'Sync-Epoch': epoch }) };
  const { body } = await client.request(`events?${query}`, { headers, signal });
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  // A stream that ends without a word: the server stops, or wants it to begin again.
  let [text, code, retry] = ['', CODES.SHUTDOWN, 0];
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    heard();
    const blocks = (text + read.value).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: ?(.*)/)));
      if (fields.retry) retry = Number(fields.retry);
      if (fields.event === 'error') code = OF_ERROR[JSON.parse(fields.data).code] ?? CODES.LOST;
      if (fields.data) frame(fields.data, fields.event);
    }
  }
  end(code, retry);
}

async function poll({ client, pollMs, polled, sleep, signal }) {
  for (let tag = null; !signal.aborted; await sleep(pollMs / 2, pollMs * 1.5)) {
    const asked = await statusTag(client, tag); // before the pull: it may only be too old
    const news = asked === null || asked !== tag;
    if (news) await client.pull();
    tag = asked;
    polled(news);
  }
}

/** The tag of what the server has, the same while nothing changes; null when it does not tell. */
async function statusTag(client, tag) {
  try {
    const headers = tag === null ? {} : { 'If-None-Match': tag };
    const response = await client.request('status', { headers });
    await response.text();
    return response.headers.get('ETag');
  } catch (error) {
    if (error.status === 304) return tag;
    if (error.status === 404) return null;
    throw error;
  }
}

/** Rows of one stream on their way into the client. */
export class Inbox {
  #options;
  #epoch;
  #at; // up to here everything was handed to the client
  #rows = []; // of a bundle that is not whole
  #batch = null; // whole bundles that wait while the client is busy
  #taken = Promise.resolve();

  /** `taken()` when rows were taken, `odd(error)` when they do not fit, `signal` when it is over. */
  constructor(options) {
    this.#options = options;
    ({ since: this.#at, epoch: this.#epoch } = options.client.place);
  }

  row(row) {
    const before = this.#rows.at(-1)?.version ?? this.#at;
    if (row.version <= before) return; // told twice
    if (!(row.version > before)) throw new Error('a row without a version');
    this.#rows.push(row);
    if (row.bundle_end) this.#hand(this.#rows.splice(0), row.version);
  }

  /** Everything up to here was sent: it goes past rows that this client does not ask for. */
  reached(version) {
    if (this.#rows.length === 0 && version > this.#at) this.#hand([], version);
  }

  /** Does the work when all that came so far was taken. */
  afterwards(work) {
    const { signal, odd } = this.#options;
    this.#taken = this.#taken.then(() => signal.aborted || work()).catch(odd);
  }

  #hand(rows, last_seq) {
    if (this.#batch === null) {
      this.#batch = { epoch: this.#epoch, after: this.#at, changes: [] };
      this.afterwards(() => this.#take());
    }
    for (const row of rows) this.#batch.changes.push(row);
    this.#batch.last_seq = this.#at = last_seq;
  }

  async #take() {
    const { client, taken } = this.#options;
    const batch = this.#batch;
    this.#batch = null; // what comes from now on is another batch
    if (!(await client.applyLive(batch))) throw new Error('the client is at another place');
    taken();
  }
}

/** The transports by name, the best one first. */
export const TRANSPORTS = { websocket, events, poll };
