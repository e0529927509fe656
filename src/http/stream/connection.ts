/** One open connection: its messages one after another, its subscription, its end. */

import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { RequestContext } from '../../core/context.ts';
import type {
  BundleHint,
  ChangeFrame,
  LiveDelivery,
  LiveEnd,
  LiveSink,
  LiveSubscription,
} from '../../core/ports/live.ts';
import type { Clock } from '../../core/ports/system.ts';
import { SyncError } from '../../protocol/errors.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import { STREAM_MISSED_PONGS_MAX } from '../../protocol/pure/limits.ts';
import { CLOSE_CODES, closeCodeOf } from '../../protocol/pure/stream-codes.ts';
import type { StreamMessage, SubscribeMessage } from '../../protocol/stream.ts';
import { errorFacts, toSyncError } from '../error-response.ts';
import type { UnnamedPlace } from './admission.ts';
import type { Caller } from './caller.ts';
import { MessageRate } from './message-rate.ts';
import { Outbox } from './outbox.ts';
import { readMessage } from './read-message.ts';
import type { ClosedStream, StreamTimes } from './stream-options.ts';
import { textFrame } from './text-frame.ts';

/** What a connection is made of. */
export interface ConnectionParts {
  readonly ws: WebSocket;
  readonly socket: Duplex;
  readonly caller: Caller;
  readonly place: UnnamedPlace;
  readonly request_id: string;
  readonly live: LiveDelivery;
  readonly clock: Clock;
  readonly times: StreamTimes;
  readonly buffer_bytes: number;
  /** From 0 to 1: connections that came together do not ask for their callers together. */
  readonly spread: number;
  epoch(): string;
  onClosed(connection: StreamConnection, stream: ClosedStream): void;
}

type Work = () => Promise<void> | undefined;

/** A connection of a client. No method throws, and no rejection leaves it [WS-11]. */
export class StreamConnection implements LiveSink {
  readonly #parts: ConnectionParts;
  readonly #outbox: Outbox;
  readonly #rate: MessageRate;
  readonly #opened_at: number;
  #queue: Work[] = [];
  #isBusy = false;
  #isEnding = false;
  #context: RequestContext | undefined;
  #subscription: LiveSubscription | undefined;
  #cause: unknown;
  #missed_pongs = 0;
  #subscribe_until: number;
  #ping_at: number;
  #recheck_at: number;

  constructor(parts: ConnectionParts) {
    const { ws, socket, clock, times, spread } = parts;
    const now = clock.monotonic();
    this.#parts = parts;
    this.#outbox = new Outbox({ ws, socket }, parts.buffer_bytes, () =>
      this.#subscription?.resume(),
    );
    this.#rate = new MessageRate(now);
    this.#opened_at = now;
    this.#subscribe_until = now + times.subscribe;
    this.#ping_at = now + times.ping;
    this.#recheck_at = now + times.recheck * (1 - spread / 4);
    ws.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary));
    ws.on('ping', () => this.#countMessage());
    ws.on('pong', () => {
      this.#missed_pongs = 0;
      this.#countMessage();
    });
    // What ws found wrong is answered by it with the close code of the fault.
    ws.on('error', () => {});
    ws.on('close', (code) => this.#onClose(code));
  }

  get ready(): boolean {
    return !this.#isEnding && this.#outbox.hasSpace;
  }

  get buffered_bytes(): number {
    return this.#outbox.bytes;
  }

  cork(): void {
    this.#outbox.cork();
  }

  uncork(): void {
    this.#outbox.uncork();
  }

  subscribed(since: Hlc, head: Hlc): void {
    const { scope_id } = this.#context as RequestContext;
    const { collections } = this.#subscription as LiveSubscription;
    const epoch = this.#parts.epoch();
    this.#send({ type: 'subscribed', since, head, scope_id, collections, epoch });
  }

  change(frame: ChangeFrame): void {
    this.#outbox.write(frame.encoded('websocket', frameOf) as Buffer);
  }

  /** Nobody subscribes for hints here. */
  hint(_: BundleHint): void {}

  caughtUp(last_seq: Hlc): void {
    this.#send({ type: 'caught_up', last_seq });
  }

  ended(end: LiveEnd): void {
    this.#subscription = undefined;
    if (end.kind === 'resync') {
      const { full_resync_required: _, ...facts } = end.stale;
      this.#sendLast({ type: 'full_resync_required', ...facts });
      this.close(CLOSE_CODES.resync_required, end.stale.reason);
    } else if (end.kind === 'slow') {
      this.close(CLOSE_CODES.slow_reader, 'slow_consumer');
    } else if (end.kind === 'draining') {
      this.close(CLOSE_CODES.restart, 'restart');
    } else {
      this.fail(end.cause);
    }
  }

  /** Says what is wrong and closes. */
  fail(failure: unknown): void {
    if (this.#isEnding) return;
    const error = toSyncError(failure);
    const { code, details, cause } = error;
    this.#cause = cause;
    this.#sendLast({ type: 'error', ...errorFacts(error, this.#parts.request_id) });
    this.close(closeCodeOf(code), details?.reason ?? code);
  }

  /** Closes with a code; what is written before goes out first. */
  close(code: number, reason: string): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#outbox.close();
    this.#unfollow();
    this.#queue = [];
    this.#parts.ws.close(code, reason);
  }

  terminate(): void {
    this.#isEnding = true;
    this.#unfollow();
    this.#parts.ws.terminate();
  }

  /** Looks at the times [WS-9] [WS-10]; `now` is monotonic, `wall` is ms since 1970. */
  sweep(now: number, wall: number): void {
    if (this.#isEnding) return;
    const overdue = this.#overdue(now, wall);
    if (overdue !== undefined) {
      this.fail(overdue);
      return;
    }
    const { caller, times } = this.#parts;
    // The last ping has half of the time until the next one: 75 s after a route was lost it is known.
    const isSilent = this.#missed_pongs >= STREAM_MISSED_PONGS_MAX;
    if (isSilent && now >= this.#ping_at - times.ping / 2) {
      this.terminate();
      return;
    }
    if (now >= this.#ping_at) {
      this.#ping_at = now + times.ping;
      this.#ping();
    }
    if (now >= this.#recheck_at && caller.identity !== undefined) {
      this.#recheck_at = now + times.recheck;
      this.#enqueue(() => this.#recheck());
    }
  }

  /** What the connection should have done by now. */
  #overdue(now: number, wall: number): SyncError | undefined {
    if (this.#subscription === undefined && now >= this.#subscribe_until) {
      return new SyncError('request_timeout', { details: { reason: 'no_subscription' } });
    }
    const { identity } = this.#parts.caller;
    if (wall < (identity?.expires_ms ?? Number.POSITIVE_INFINITY)) return undefined;
    return new SyncError('authentication_failed', { details: { reason: 'token_expired' } });
  }

  #ping(): void {
    this.#missed_pongs += 1;
    this.#parts.ws.ping();
    const last_seq = this.#subscription?.position ?? null;
    // A row that waits outside of the socket counts as written for the hub: not yet for the client.
    if (last_seq !== null && !this.#outbox.isHolding) this.#send({ type: 'ping', last_seq });
  }

  #onMessage(bytes: Buffer, isBinary: boolean): void {
    if (!this.#isEnding && this.#countMessage()) {
      this.#enqueue(() => this.#handle(readMessage(bytes, isBinary)));
    }
  }

  /** False when there were too many, and the connection ends. */
  #countMessage(): boolean {
    if (this.#rate.take(this.#parts.clock.monotonic())) return true;
    this.fail(new SyncError('rate_limited', { details: { reason: 'too_many_messages' } }));
    return false;
  }

  #enqueue(work: Work): void {
    this.#queue.push(work);
    if (!this.#isBusy) void this.#run();
  }

  /** One after another. Nothing is read while one is waited for, so the queue stays short. */
  async #run(): Promise<void> {
    const { ws } = this.#parts;
    let isPaused = false;
    this.#isBusy = true;
    try {
      for (let work = this.#queue.shift(); work !== undefined; work = this.#queue.shift()) {
        const waiting = work();
        if (waiting === undefined) continue;
        if (!isPaused) ws.pause();
        isPaused = true;
        await waiting;
      }
    } catch (failure) {
      this.fail(failure);
    } finally {
      this.#isBusy = false;
      if (isPaused) ws.resume();
    }
  }

  #handle(message: StreamMessage): Promise<void> | undefined {
    switch (message.type) {
      case 'subscribe':
        return this.#subscribe(message);
      case 'auth':
        return this.#present(message.token);
      default:
        this.#signal(message.type);
        return undefined;
    }
  }

  #signal(type: 'unsubscribe' | 'ping' | 'pong' | 'ack'): void {
    if (this.#parts.caller.identity === undefined) {
      throw new SyncError('invalid_request', { details: { reason: 'not_authenticated' } });
    }
    // Who asks without reading would collect answers.
    if (type === 'ping' && !this.#outbox.isHolding) this.#send({ type: 'pong' });
    if (type === 'unsubscribe') this.#unfollow();
  }

  async #subscribe(message: SubscribeMessage): Promise<void> {
    const { caller, live, request_id } = this.#parts;
    const { since, collections, token, client_id } = message;
    if (token !== undefined) await this.#present(token);
    const { identity } = caller;
    if (identity === undefined) {
      throw new SyncError('authentication_failed', { details: { reason: 'token_missing' } });
    }
    if (this.#isEnding) return;
    const epoch = message.epoch ?? caller.epoch;
    const scope_id = caller.chooseScope(message.scope_id);
    this.#unfollow();
    this.#context = {
      identity,
      scope_id,
      request_id,
      ...(epoch === undefined ? {} : { epoch }),
    };
    const request = {
      since,
      collections,
      mode: 'rows',
      transport: 'websocket',
      client_id,
    } as const;
    this.#subscription = live.subscribe(this.#context, request, this);
  }

  /** A token of a message: the first one, or one that replaces another [WS-8]. */
  async #present(token: string): Promise<void> {
    const { caller, place } = this.#parts;
    const isNew = caller.identity === undefined;
    const { actor_id } = await caller.present(token);
    if (this.#isEnding) return;
    if (isNew) place.name(actor_id);
    this.#checkStill();
  }

  async #recheck(): Promise<void> {
    await this.#parts.caller.recheck();
    this.#checkStill();
  }

  #checkStill(): void {
    if (this.#subscription === undefined || this.#context === undefined) return;
    this.#parts.caller.checkStill(this.#context.scope_id, this.#subscription.collections);
  }

  /** What was not written of an earlier subscription is not written any more. */
  #unfollow(): void {
    if (this.#subscription === undefined) return;
    this.#subscription.close();
    this.#subscription = undefined;
    this.#outbox.clear();
    this.#subscribe_until = this.#parts.clock.monotonic() + this.#parts.times.subscribe;
  }

  #send(message: object): void {
    this.#outbox.write(textFrame(JSON.stringify(message)));
  }

  #sendLast(message: object): void {
    this.#outbox.writeLast(textFrame(JSON.stringify(message)));
  }

  #onClose(close_code: number): void {
    this.#isEnding = true;
    this.#outbox.close();
    this.#unfollow();
    this.#queue = [];
    const { place, request_id, caller, clock, onClosed } = this.#parts;
    place.release();
    onClosed(this, {
      request_id,
      actor_id: caller.identity?.actor_id,
      close_code,
      ms: clock.monotonic() - this.#opened_at,
      ...(this.#cause === undefined ? {} : { cause: this.#cause }),
    });
  }
}

function frameOf(frame: ChangeFrame): Buffer {
  return textFrame(frame.json);
}
