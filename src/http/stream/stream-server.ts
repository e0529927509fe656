/** WS /sync/stream: from the upgrade to the last connection. */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Access } from '../../core/ports/access.ts';
import type { LiveDelivery } from '../../core/ports/live.ts';
import { ERROR_CATALOGUE, SyncError } from '../../protocol/errors.ts';
import {
  HEADER_PROTOCOL,
  HEADER_REQUEST_ID,
  PROTOCOL_VERSION,
} from '../../protocol/pure/headers.ts';
import { STREAM_FRAGMENTS_MAX, STREAM_MESSAGE_BYTES_MAX } from '../../protocol/pure/limits.ts';
import { CLOSE_CODES } from '../../protocol/pure/stream-codes.ts';
import { toSyncError } from '../error-response.ts';
import { chooseRequestId, requestIds } from '../request-ids.ts';
import type { FinishedRequest } from '../request-log.ts';
import type { AppOptions } from '../route.ts';
import type { Upgrade, UpgradeTaker } from '../server.ts';
import type { Admission, UnnamedPlace } from './admission.ts';
import { Caller } from './caller.ts';
import { StreamConnection } from './connection.ts';
import { asksForWebSocket, checkHandshake, splitTarget, STREAM_PATH } from './handshake.ts';
import { putBack, serveWithoutUpgrade } from './plain-http.ts';
import { NO_REQUEST, refuseHandshake } from './refuse.ts';
import {
  type ClosedStream,
  type StreamOptions,
  type StreamTimes,
  streamTimes,
} from './stream-options.ts';

/** What the stream needs of the application. */
export interface StreamServerOptions
  extends Pick<AppOptions, 'cors' | 'requestLog' | 'clock' | 'crypto'> {
  readonly engine: { readonly epoch: string };
  readonly access: Access;
  readonly live: LiveDelivery;
  readonly admission: Admission;
  readonly stream: StreamOptions;
}

/** How long a peer may take to answer a close, ms. */
const CLOSE_TIMEOUT_MS = 10_000;

interface Handshake extends Upgrade {
  readonly request_id: string;
  readonly started: number;
}

/** All connections of a process. */
export class StreamServer implements UpgradeTaker {
  readonly #options: StreamServerOptions;
  readonly #times: StreamTimes;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    skipUTF8Validation: false,
    maxPayload: STREAM_MESSAGE_BYTES_MAX,
    maxFragments: STREAM_FRAGMENTS_MAX,
    closeTimeout: CLOSE_TIMEOUT_MS,
  } as ConstructorParameters<typeof WebSocketServer>[0]);
  readonly #connections = new Set<StreamConnection>();
  /** Sockets whose caller is being asked for, and the monotonic time until which that may take. */
  readonly #arriving = new Map<Duplex, { readonly until: number; giveUp(): void }>();
  readonly #newRequestId: () => string;
  readonly #waiting: (() => void)[] = [];
  #isStopping = false;
  #stopSweep: (() => void) | undefined;
  #answering: string | undefined;
  #count = 0;

  constructor(options: StreamServerOptions) {
    this.#options = options;
    this.#times = streamTimes(options.stream);
    this.#newRequestId = requestIds(options);
    this.#sockets.on('headers', (headers) => {
      headers.push(`${HEADER_PROTOCOL}: ${PROTOCOL_VERSION}`);
      headers.push(`${HEADER_REQUEST_ID}: ${this.#answering}`);
    });
  }

  /** Connections that are open. */
  get size(): number {
    return this.#connections.size;
  }

  /** Takes over the upgrades of a server that serves nothing else. */
  upgrade(upgrade: Upgrade, serve: (socket: Duplex) => void): void {
    const { request, socket, head } = upgrade;
    if (asksForWebSocket(request)) {
      this.#accept(upgrade);
      return;
    }
    putBack(request, socket, head);
    serve(socket);
  }

  /** Takes over the upgrades to the stream; others are left to the application's other listeners. */
  readonly handleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const isOurs = splitTarget(request.url ?? '').path === STREAM_PATH && asksForWebSocket(request);
    if (isOurs) this.#accept({ request, socket, head });
    else if (!serveWithoutUpgrade({ request, socket, head }, this.handleUpgrade)) {
      // Whoever takes it listens too; when nobody does, a reset would end the process.
      socket.on('error', ignore);
    }
  };

  /** Refuses new connections with 503 and closes the open ones with 1012. */
  stop(): void {
    this.#isStopping = true;
    for (const one of this.#connections) one.close(CLOSE_CODES.restart, 'restart');
  }

  /** Cuts what did not close. */
  terminate(): void {
    for (const [socket, { giveUp }] of this.#arriving) {
      socket.destroy();
      giveUp();
    }
    for (const one of this.#connections) one.terminate();
  }

  /** Stops, and cuts what is open after the grace (ms). */
  async end(graceMs: number): Promise<void> {
    this.stop();
    const stopTimer = this.#after(graceMs, () => this.terminate());
    await this.idle();
    stopTimer();
  }

  idle(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #accept(upgrade: Upgrade): void {
    const { request, socket } = upgrade;
    socket.on('error', ignore);
    const { clock } = this.#options;
    const wanted = request.headers[HEADER_REQUEST_ID.toLowerCase()] as string | undefined;
    const request_id = chooseRequestId(wanted, this.#newRequestId);
    const handshake = { ...upgrade, request_id, started: clock.monotonic() };
    this.#admit(handshake).catch((failure) => this.#refuse(handshake, failure));
  }

  async #admit(handshake: Handshake): Promise<void> {
    const { request, socket } = handshake;
    const { access, admission, cors, stream } = this.#options;
    const rules = { origins: cors, token_in_query: stream.token_in_query };
    const token = checkHandshake(request, rules);
    if (this.#isStopping) throw new SyncError('service_unavailable');
    const caller = new Caller(access, request, token);
    const place = admission.takeUnnamed(caller.hasToken);
    try {
      await this.#recognise(caller, place, socket);
      if (this.#isStopping) throw new SyncError('service_unavailable');
      this.#open(handshake, caller, place);
    } catch (failure) {
      place.release();
      this.#rest();
      throw failure;
    }
  }

  /** Asks who calls, while the socket may break or take too long. */
  async #recognise(caller: Caller, place: UnnamedPlace, socket: Duplex): Promise<void> {
    let giveUp = (): void => {};
    const isLate = new Promise<never>((_, reject) => {
      giveUp = () => reject(new SyncError('request_timeout'));
    });
    const until = this.#options.clock.monotonic() + this.#times.subscribe;
    this.#arriving.set(socket, { until, giveUp });
    this.#keepSweeping();
    try {
      // An access that never answers must not keep the place.
      const isKnown = await Promise.race([caller.open(), isLate]);
      if (isKnown && caller.identity !== undefined) place.name(caller.identity.actor_id);
    } finally {
      this.#arriving.delete(socket);
    }
  }

  /** From here on ws answers. It does so at once, or destroys a socket that is gone already. */
  #open(handshake: Handshake, caller: Caller, place: UnnamedPlace): void {
    const { request, socket, head, request_id } = handshake;
    let isOpen = false;
    this.#answering = request_id;
    this.#sockets.handleUpgrade(request, socket, head, (ws) => {
      isOpen = true;
      this.#connect(ws, { handshake, caller, place });
    });
    if (!isOpen) {
      place.release();
      socket.destroy();
    }
  }

  #connect(
    ws: WebSocket,
    of: { readonly handshake: Handshake; readonly caller: Caller; readonly place: UnnamedPlace },
  ): void {
    const { handshake, caller, place } = of;
    const { live, clock, engine, stream } = this.#options;
    handshake.socket.off('error', ignore);
    this.#count += 1;
    const connection = new StreamConnection({
      ws,
      socket: handshake.socket,
      caller,
      place,
      request_id: handshake.request_id,
      live,
      clock,
      times: this.#times,
      buffer_bytes: stream.buffer_bytes,
      spread: (this.#count * GOLDEN_RATIO) % 1,
      epoch: () => engine.epoch,
      onClosed: (one, closed) => this.#forget(one, closed),
    });
    this.#connections.add(connection);
    stream.log.open(this.#connections.size);
    this.#note(handshake, { status: 101 });
  }

  #forget(connection: StreamConnection, closed: ClosedStream): void {
    const { log } = this.#options.stream;
    this.#connections.delete(connection);
    log.open(this.#connections.size);
    log.closed(closed);
    if (this.#connections.size > 0) return;
    this.#rest();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** One look at all connections: a timer for each would cost more than the connection's own state. */
  #keepSweeping(): void {
    this.#stopSweep ??= this.#after(this.#times.sweep, () => {
      this.#sweep();
      this.#stopSweep = undefined;
      if (this.#connections.size + this.#arriving.size > 0) this.#keepSweeping();
    });
  }

  /** Nobody is left to look at. */
  #rest(): void {
    if (this.#connections.size + this.#arriving.size > 0) return;
    this.#stopSweep?.();
    this.#stopSweep = undefined;
  }

  #sweep(): void {
    const { clock } = this.#options;
    const now = clock.monotonic();
    const wall = clock.now();
    for (const [socket, { until, giveUp }] of this.#arriving) {
      if (now < until) continue;
      this.#arriving.delete(socket);
      socket.destroy();
      giveUp();
    }
    for (const one of this.#connections) one.sweep(now, wall);
  }

  /** Does something later; gives back how to leave it. */
  #after(ms: number, act: () => void): () => void {
    const stop = new AbortController();
    void this.#options.clock.sleep(ms, stop.signal).then(() => {
      if (!stop.signal.aborted) act();
    });
    return () => stop.abort();
  }

  #refuse(handshake: Handshake, failure: unknown): void {
    const { clock, engine } = this.#options;
    const error = toSyncError(failure);
    const { code, details, cause } = error;
    const request_id = details?.reason === 'malformed_http' ? NO_REQUEST : handshake.request_id;
    const facts = { request_id, epoch: engine.epoch, now_ms: clock.now() };
    refuseHandshake(handshake.socket, error, facts);
    this.#note(handshake, {
      status: ERROR_CATALOGUE[code].status,
      code,
      ...(details?.reason === undefined ? {} : { reason: details.reason }),
      ...(cause === undefined ? {} : { cause }),
    });
  }

  /** The handshake in the log of requests. There is no address in it, so there is no token. */
  #note(
    { request, request_id, started }: Handshake,
    answer: Pick<FinishedRequest, 'status' | 'code' | 'reason' | 'cause'>,
  ): void {
    const { requestLog, clock } = this.#options;
    const isKnown = answer.code !== 'not_found' && answer.reason !== 'malformed_http';
    requestLog.finished({
      request_id,
      method: request.method ?? 'GET',
      route: isKnown ? STREAM_PATH : 'unmatched',
      ms: clock.monotonic() - started,
      ...answer,
    });
  }
}

const GOLDEN_RATIO = 0.618_033_988_749;

function ignore(): void {}
