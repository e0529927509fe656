/**
 * Live mode of the reference client: keeps a `SyncClient` current over a WebSocket, else over
 * server-sent events, else by polling. No dependencies, browsers and Node 20+ (a WebSocket from 22 on).
 *
 * A stream is asked for all rows after the client's `since`. Rows wait until their bundle is whole and
 * are then taken as the rows of a pull are. A delivery names the version that it follows: when the
 * client is not there, or anything else is odd, it pulls and begins another stream from its `since`.
 */

import { CODES, codeOf, Inbox, TRANSPORTS } from './live-transports.mjs';

const SILENT_MS = 75_000; // the server says something every 30 s
const STEADY_MS = 30_000; // current for so long: the failures before it are forgotten
const BETTER_MS = [150_000, 300_000]; // until a better transport is tried again
const SPREAD_MS = [200, 5_000]; // a server that restarts must not meet all its clients at once
const LONG_MS = [30_000, 60_000];
const [BACKOFF_MS, BACKOFF_MAX_MS] = [500, 60_000];
const TRIES = 3; // of a transport that does not open, before the next one is taken

const { LOST, SHUTDOWN, SLOW, BETTER, ODD, UNAUTHENTICATED, FORBIDDEN, RESYNC, FLOOD } = CODES;
/** The server said so itself: the transport works. */
const SAID = [SHUTDOWN, SLOW, UNAUTHENTICATED, FORBIDDEN, RESYNC, FLOOD];
/** Nothing is wrong with the place: the next stream goes on from it without a pull. */
const IN_PLACE = [1000, 1001, 1005, LOST, SHUTDOWN, UNAUTHENTICATED, BETTER];

/** Keeps the client current until `stop()`. The options are described in live-client.d.mts. */
export function startLive(client, options = {}) {
  return new Live({
    client,
    transports: Object.keys(TRANSPORTS),
    WebSocket: globalThis.WebSocket,
    pollMs: 15_000,
    autoPush: true,
    onState: () => {},
    onChange: () => {},
    random: Math.random,
    setTimeout: (work, ms) => setTimeout(work, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    ...options,
  });
}

class Live {
  /** 'connecting', 'live', 'polling', 'waiting' or 'stopped'. */
  state = 'connecting';
  /** What went wrong last; when it stopped by itself: why. */
  error = null;
  #options;
  #transports;
  #level = 0; // index of the transport in use
  #misses = 0; // times in a row that it did not open
  #failures = 0; // connections that ended since one was steady
  #unpushed = 0; // pushes in a row that failed
  #mayAsk = true; // for another token
  #mustPull = false;
  #open = false;
  #pushing = false;
  #again; // timer of the next push
  #better; // timer of the next try of the best transport
  #timers = new Set();
  #end = () => {};
  #wake = () => {};

  constructor(options) {
    const usable = options.transports.filter((name) => name !== 'websocket' || options.WebSocket);
    if (usable.length === 0) throw new RangeError('no transport that can be used here');
    this.#options = options;
    this.#transports = usable.map((name) => TRANSPORTS[name]);
    options.client.onEdit = () => this.#push();
    this.#run();
  }

  /** Tries again now instead of later: the network is back, there is another token. */
  wake = () => this.#wake();

  /** Ends it for good. */
  stop = () => {
    this.#become('stopped');
    this.#options.client.onEdit = () => {};
    this.#end(1000);
    this.#wake();
    for (const timer of this.#timers) this.#cancel(timer);
  };

  async #run() {
    while (this.state !== 'stopped') {
      this.#become('connecting');
      const ended = await this.#attempt().catch((error) => this.#failed(error));
      this.#open = false;
      const wait = await this.#waitAfter(ended);
      this.#become('waiting');
      await this.#sleep(wait);
    }
  }

  /** One connection: the code that it ended with, and `missed` when the transport did not open. */
  async #attempt() {
    if (this.#mustPull || this.#options.client.place.since === null) {
      await this.#options.client.pull();
      this.#mustPull = false;
      this.#options.onChange();
    }
    if (this.state === 'stopped') return { code: 1000 };
    return new Promise((resolve) => this.#connect(resolve));
  }

  #connect(resolve) {
    const { client, onChange } = this.#options;
    const closing = new AbortController();
    const { signal } = closing;
    let [opened, watch, steady] = [false];
    const end = (code, retry = 0) => {
      if (signal.aborted) return;
      closing.abort();
      for (const timer of [watch, steady]) this.#cancel(timer);
      resolve({ code, retry, missed: !opened && code !== BETTER && !SAID.includes(code) });
    };
    const fail = (error, code = codeOf(error)) => {
      if (!signal.aborted) this.error = error;
      end(code);
    };
    const heard = () => {
      this.#cancel(watch);
      if (!signal.aborted) watch = this.#later(SILENT_MS, () => end(LOST));
    };
    const up = () => {
      [opened, this.#open, this.#misses] = [true, true, 0];
      this.#cancel(this.#again);
      this.#push();
    };
    const current = (state) => {
      this.#become(state);
      up();
      steady ??= this.#later(STEADY_MS, () => this.#forgive());
    };
    const taken = () => {
      onChange();
      this.#push(); // what a restored backup took away is sent again
    };
    const inbox = new Inbox({ client, signal, taken, odd: (error) => fail(error, ODD) });
    const on = {
      subscribed: up,
      connected: up,
      change: (row) => inbox.row(row),
      ping: ({ last_seq }) => inbox.reached(last_seq),
      caught_up({ last_seq }) {
        inbox.reached(last_seq);
        inbox.afterwards(() => current('live'));
      },
      full_resync_required: () => end(RESYNC),
      error: (error) => {
        this.error = error; // the end follows
      },
    };
    const frame = (text, type) => {
      if (signal.aborted) return;
      heard();
      try {
        const one = JSON.parse(text);
        on[type ?? one.type]?.(one);
      } catch (error) {
        fail(error, ODD);
      }
    };
    const polled = (news) => {
      if (news) onChange();
      current('polling');
    };
    const sleep = (...range) => this.#sleep(this.#between(range));
    const link = { ...this.#options, signal, frame, heard, end, polled, sleep };
    this.#end = end;
    this.#transports[this.#level](link).catch((error) => fail(error));
  }

  /** How long to wait before the next connection, and what to do before it. */
  async #waitAfter({ code, missed, retry = 0 }) {
    if (code === BETTER) return 0;
    if (missed || !IN_PLACE.includes(code)) this.#mustPull = true;
    if (missed) this.#nextTransport();
    const most = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#failures);
    const backoff = this.#between([0, most]);
    this.#failures += 1;
    if (code === FORBIDDEN) this.stop();
    if (code === SHUTDOWN) return Math.max(this.#between(SPREAD_MS), backoff, retry);
    if (code === FLOOD) return this.#between(LONG_MS);
    if (code !== UNAUTHENTICATED || (await this.#renewToken())) return backoff;
    return this.#between(LONG_MS);
  }

  /** Asks for another token, once until it was good for something. */
  async #renewToken() {
    const { client, getToken } = this.#options;
    const ask = this.#mayAsk && getToken !== undefined;
    this.#mayAsk = !ask; // a refused one is followed by a long wait, and that by another question
    if (!ask) return false;
    try {
      client.token = await getToken();
      return true;
    } catch (error) {
      this.#mayAsk = true;
      this.#failed(error);
      return false;
    }
  }

  /** Takes the next transport after some misses, and the best one again after a while. */
  #nextTransport() {
    this.#misses += 1;
    if (this.#misses < TRIES || this.#level === this.#transports.length - 1) return;
    this.#level += 1;
    this.#misses = 0;
    this.#cancel(this.#better);
    this.#better = this.#later(this.#between(BETTER_MS), () => {
      this.#level = 0;
      this.#misses = TRIES - 1; // one try
      this.#end(BETTER);
    });
  }

  /** Sends own edits while there is a connection; what fails is tried again later. */
  async #push() {
    const { client, autoPush, onChange } = this.#options;
    const waits = this.#pushing || this.#timers.has(this.#again);
    if (!autoPush || !this.#open || waits || client.unsent === 0) return;
    this.#pushing = true;
    try {
      while (this.#open && client.unsent > 0) await client.push();
      this.#unpushed = 0;
      if (this.state === 'polling') await client.pull(); // a stream brings the rows by itself
      onChange();
    } catch (error) {
      const most = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#unpushed);
      this.#unpushed += 1;
      if (this.#failed(error).code === UNAUTHENTICATED) this.#end(UNAUTHENTICATED);
      else this.#again = this.#later(this.#between([0, most]), () => this.#push());
    } finally {
      this.#pushing = false;
    }
  }

  #forgive() {
    [this.#failures, this.#mayAsk] = [0, true];
  }

  #failed(error) {
    this.error = error;
    return { code: codeOf(error) };
  }

  #become(state) {
    if (this.state === 'stopped' || this.state === state) return;
    this.state = state;
    this.#options.onState(state);
  }

  #between([least, most]) {
    return least + this.#options.random() * (most - least);
  }

  #sleep(ms) {
    return new Promise((resolve) => {
      const timer = this.#later(ms, resolve);
      this.#wake = () => {
        this.#cancel(timer);
        resolve();
      };
      if (this.state === 'stopped') resolve();
    });
  }

  #later(ms, work) {
    if (this.state === 'stopped') return undefined;
    const timer = this.#options.setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }

  #cancel(timer) {
    if (!this.#timers.delete(timer)) return;
    this.#options.clearTimeout(timer);
  }
}
