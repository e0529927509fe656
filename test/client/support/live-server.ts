/**
 * The fake server with live delivery: WebSockets and event streams without a network. It delivers what
 * it should by itself; a test can hold it, send single frames, and end streams in every way.
 */

import type { LiveSocket } from '../../../examples/live-client.mjs';
import { FakeServer, type Row } from './fake-server.ts';

/** What a stream was opened with. */
export interface Opened {
  readonly since: string;
  readonly collections: readonly string[];
  readonly token: string | undefined;
  readonly epoch: string | null;
  readonly client_id: string | null;
}

/** How frames of a transport reach the client. */
interface Wire {
  /** Text as it is, of a frame or of the data of an event `change`. */
  raw(text: string): void;
  /** The heartbeat that is no frame, where there is one. */
  beat(): void;
  readonly transport: 'websocket' | 'events';
  frame(frame: Frame): void;
  end(code: number): void;
}

type Frame = { readonly type: string } & Readonly<Record<string, unknown>>;

/** One subscription. */
export class FakeStream {
  readonly opened: Opened;
  readonly wire: Wire;
  readonly #server: FakeServer;
  /** Up to here everything was sent. */
  position: string;
  closed = false;

  constructor(server: FakeServer, wire: Wire, opened: Opened) {
    this.#server = server;
    this.wire = wire;
    this.opened = opened;
    this.position = opened.since;
  }

  /** Rows that were not sent and are wanted. */
  get waiting(): readonly Row[] {
    const { collections } = this.opened;
    return this.#later().filter(({ collection }) => collections.includes(collection));
  }

  say(frame: Frame): void {
    if (!this.closed) this.wire.frame(frame);
  }

  /** Sends the next rows, all unless told otherwise; then the place is past rows of others. */
  deliver(most = Number.POSITIVE_INFINITY): void {
    for (const row of this.waiting.slice(0, most)) this.sendRow(row);
    if (this.waiting.length === 0) this.position = this.#server.head;
  }

  sendRow(row: Row): void {
    const { bundle, ...shown } = row;
    const rest = this.#wanted(bundle).filter(({ version }) => version > row.version);
    this.say({ type: 'change', ...shown, bundle_seq: bundle, bundle_end: rest.length === 0 });
    this.position = row.version;
  }

  caughtUp(): void {
    this.say({ type: 'caught_up', last_seq: this.position });
  }

  ping(): void {
    this.say({ type: 'ping', last_seq: this.position });
  }

  /** The server ends it, as a WebSocket with this code. */
  end(code: number): void {
    if (this.closed) return;
    this.closed = true;
    this.wire.end(code);
  }

  #later(): readonly Row[] {
    return this.#server.rows.filter(({ version }) => version > this.position);
  }

  #wanted(bundle: number): readonly Row[] {
    const { collections } = this.opened;
    return this.#server.rows.filter(
      (row) => row.bundle === bundle && collections.includes(row.collection),
    );
  }
}

/** The server. */
export class LiveServer extends FakeServer {
  /** Every stream that was opened, the newest last. */
  readonly streams: FakeStream[] = [];
  /** Nothing is sent unless a test does it. */
  held = false;
  /** Opens that fail on the way. */
  readonly broken = { websocket: 0, events: 0 };
  /** Times that a connection was tried. */
  readonly tried = { websocket: 0, events: 0 };
  /** Connections get no answer at all. */
  hangs = false;
  /** What does not open is an error and no close, as a WebSocket that a page's policy forbids. */
  forbids = false;
  /** A token that is refused. */
  refusedToken: string | undefined;
  /** Answers of the next requests for events, instead of a stream. */
  readonly eventAnswers: Response[] = [];
  /** Answers /sync/status when true. */
  tellsStatus = false;
  readonly WebSocket = socketOf(this);

  override committed = (): void => {
    if (!this.held) for (const stream of this.streams) stream.deliver();
  };

  override async receive(url: string, init: RequestInit): Promise<Response> {
    const { pathname, searchParams } = new URL(url);
    const headers = new Headers(init.headers);
    if (pathname === '/sync/events') return this.#events(searchParams, headers, init);
    if (pathname !== '/sync/status') return super.receive(url, init);
    this.asked.push({ path: 'status', query: searchParams, headers, body: undefined });
    if (!this.tellsStatus) return Response.json({ error: 'not_found' }, { status: 404 });
    const ETag = `W/"${this.head}"`;
    const known = headers.get('If-None-Match') === ETag;
    return new Response(known ? null : '{}', { status: known ? 304 : 200, headers: { ETag } });
  }

  /** The stream that is open. */
  get stream(): FakeStream {
    const open = this.streams.filter(({ closed }) => !closed);
    if (open.length !== 1) throw new Error(`${open.length} streams are open`);
    return open[0] as FakeStream;
  }

  /** Begins a stream as the real server does. */
  begin(wire: Wire, opened: Opened): FakeStream {
    const stream = new FakeStream(this, wire, opened);
    this.streams.push(stream);
    const reason = this.staleReason(opened.since, opened.epoch);
    if (opened.token !== undefined && opened.token === this.refusedToken) stream.end(4401);
    else if (reason !== undefined) {
      stream.say({ type: 'full_resync_required', reason });
      stream.end(4410);
    } else if (!this.held) this.greet(stream);
    return stream;
  }

  /** First words and replay. */
  greet(stream: FakeStream): void {
    const { since } = stream.opened;
    stream.say(
      stream.wire.transport === 'websocket'
        ? { type: 'subscribed', since, head: this.head }
        : { type: 'connected', client_id: null, head_version: this.head },
    );
    stream.deliver();
    stream.caughtUp();
  }

  async #events(query: URLSearchParams, headers: Headers, init: RequestInit): Promise<Response> {
    this.asked.push({ path: 'events', query, headers, body: undefined });
    this.tried.events += 1;
    if (this.hangs) return new Promise(() => {});
    const answer = this.eventAnswers.shift();
    if (answer !== undefined) return answer;
    if (this.broken.events > 0) {
      this.broken.events -= 1;
      throw new TypeError('fetch failed');
    }
    const { body, wire, closed } = eventBody();
    const stream = this.begin(wire, {
      since: query.get('since') ?? '',
      collections: query.get('collections')?.split(',') ?? [],
      token: headers.get('Authorization')?.replace('Bearer ', ''),
      epoch: headers.get('Sync-Epoch'),
      client_id: query.get('client_id'),
    });
    init.signal?.addEventListener('abort', () => {
      stream.closed = true;
      closed();
    });
    return new Response(body);
  }
}

/** Codes of the event `error` that means the same as a close code. */
const ERROR_OF: Readonly<Record<number, string>> = {
  1011: 'internal_error',
  4401: 'authentication_failed',
  4403: 'collection_forbidden',
  4429: 'rate_limited',
};

/** An event stream whose events arrive in two parts each. */
function eventBody(): { body: ReadableStream<Uint8Array>; wire: Wire; closed: () => void } {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given;
    },
  });
  const write = (text: string): void => {
    const bytes = encoder.encode(text);
    const half = Math.floor(bytes.length / 2);
    controller?.enqueue(bytes.slice(0, half));
    controller?.enqueue(bytes.slice(half));
  };
  const wire: Wire = {
    transport: 'events',
    beat: () => write(':\n\n'),
    raw: (text) => write(`event: change\ndata: ${text}\n\n`),
    frame({ type, ...data }) {
      write(`event: ${type}\nid: x\ndata: ${JSON.stringify({ ...data, text: '€: x' })}\n\n:\n\n`);
    },
    end(code) {
      const error = ERROR_OF[code];
      if (error !== undefined) wire.frame({ type: 'error', code: error, message: error });
      if (code === 1012) write('retry: 7000\n\n');
      if (code === 1006) controller?.error(new TypeError('terminated'));
      else controller?.close();
    },
  };
  return { body, wire, closed: () => controller?.error(new DOMException('', 'AbortError')) };
}

/** The WebSocket of clients of this server. */
function socketOf(server: LiveServer): new (url: string) => LiveSocket {
  return class FakeSocket implements LiveSocket {
    onopen: LiveSocket['onopen'] = null;
    onmessage: LiveSocket['onmessage'] = null;
    onclose: LiveSocket['onclose'] = null;
    onerror: LiveSocket['onerror'] = null;
    #stream: FakeStream | undefined;

    constructor(url: string) {
      if (url !== 'ws://sync.test/sync/stream') throw new SyntaxError(url);
      server.tried.websocket += 1;
      const fails = server.broken.websocket > 0;
      if (fails) server.broken.websocket -= 1;
      if (server.hangs) return;
      queueMicrotask(() => {
        if (!fails) return this.onopen?.({} as never);
        this.onerror?.({} as never);
        if (!server.forbids) this.onclose?.({ code: 1006 } as never);
      });
    }

    send(text: string): void {
      const { type, ...sent } = JSON.parse(text);
      if (type !== 'subscribe') throw new Error(text);
      const wire: Wire = {
        transport: 'websocket',
        beat: () => undefined,
        raw: (text) => this.onmessage?.({ data: text } as never),
        frame: (frame) => this.onmessage?.({ data: JSON.stringify(frame) } as never),
        end: (code) => this.onclose?.({ code } as never),
      };
      this.#stream = server.begin(wire, { epoch: null, ...sent });
    }

    /** The client closes. */
    close(): void {
      if (this.#stream) this.#stream.closed = true;
    }
  };
}
