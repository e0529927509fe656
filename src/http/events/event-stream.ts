/** One event stream: what live delivery tells it becomes events, and its reader's pace goes back. */

import type {
  BundleHint,
  ChangeFrame,
  LiveEnd,
  LiveSink,
  LiveSubscription,
} from '../../core/ports/live.ts';
import type { EventsQuery, EventType } from '../../protocol/events.ts';
import type { SyncError } from '../../protocol/errors.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import { errorFacts, toSyncError } from '../error-response.ts';
import { EVENT_BUFFER_BYTES, EVENT_HEARTBEAT_MS } from '../http-limits.ts';
import { EventBody } from './event-body.ts';
import { changeBytes, eventBytes, HEARTBEAT, PING_EVENT, retryBytes } from './event-text.ts';

/** What a stream is made of. */
export interface EventStreamSettings {
  readonly query: Pick<EventsQuery, 'client_id' | 'types' | 'ping_events'>;
  readonly request_id: string;
  /** Monotonic time, ms. */
  readonly now: number;
  /** How long a client waits before it comes again; another time for each. */
  retryMs(): number;
  /** Told once, whoever ended it. */
  closed(): void;
}

/** A reader of live delivery whose events are an HTTP body. */
export class EventStream implements LiveSink {
  readonly #settings: EventStreamSettings;
  readonly #body: EventBody;
  #subscription: LiveSubscription | undefined;
  #open = true;
  #next_beat: number;
  #taken_since_beat = true;

  constructor(settings: EventStreamSettings) {
    this.#settings = settings;
    this.#next_beat = settings.now + EVENT_HEARTBEAT_MS;
    this.#body = new EventBody({ taken: () => this.#onTaken(), gone: () => this.close() });
    this.#body.write(retryBytes(settings.retryMs()));
  }

  /** The body of the answer. */
  get body(): ReadableStream<Uint8Array> {
    return this.#body.stream;
  }

  /** Names of the collections that are delivered. */
  get collections(): readonly string[] {
    return this.#subscription?.collections ?? [];
  }

  /** Hands over the subscription, which wrote nothing yet. */
  attach(subscription: LiveSubscription): void {
    if (this.#open) this.#subscription = subscription;
    else subscription.close();
  }

  get ready(): boolean {
    return this.#open && this.#body.waiting_bytes < EVENT_BUFFER_BYTES;
  }

  get buffered_bytes(): number {
    return this.#body.waiting_bytes;
  }

  subscribed(since: Hlc, head: Hlc): void {
    const { client_id } = this.#settings.query;
    this.#body.write(eventBytes('connected', { client_id, head_version: head }, since));
  }

  change(frame: ChangeFrame): void {
    if (this.#wants('change')) this.#body.write(frame.encoded('events', changeBytes));
  }

  hint(bundle: BundleHint): void {
    const { bundle_seq, last_version, client_id, row_count } = bundle;
    const data = { bundle_seq, last_version, client_id, row_count };
    if (this.#wants('bundle')) this.#body.write(eventBytes('bundle', data, last_version));
  }

  caughtUp(last_seq: Hlc): void {
    if (this.#wants('caught_up')) this.#body.write(eventBytes('caught_up', { last_seq }, last_seq));
  }

  ended(end: LiveEnd): void {
    this.#subscription = undefined;
    if (end.kind === 'failed') this.fail(toSyncError(end.cause));
    else if (end.kind === 'resync') this.#finish(eventBytes('full_resync_required', end.stale));
    else this.#leave(end.kind === 'slow');
  }

  /** Ends it with the reason, an event `error`. */
  fail(error: SyncError): void {
    this.#finish(eventBytes('error', errorFacts(error, this.#settings.request_id)));
  }

  /** The reader is gone. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#subscription?.close();
    this.#subscription = undefined;
    this.#body.end();
    this.#settings.closed();
  }

  /** Writes a heartbeat when it is due; a reader that took nothing since the last one is gone. */
  visit(now: number): void {
    if (!this.#open || now < this.#next_beat) return;
    this.#next_beat = now + EVENT_HEARTBEAT_MS;
    const waits = this.#body.waiting_bytes > 0;
    if (waits && !this.#taken_since_beat) {
      this.#leave(true);
      return;
    }
    this.#taken_since_beat = false;
    if (!waits) this.#body.write(this.#settings.query.ping_events ? PING_EVENT : HEARTBEAT);
  }

  #wants(type: EventType): boolean {
    return this.#settings.query.types?.has(type) ?? true;
  }

  #onTaken(): void {
    this.#taken_since_beat = true;
    if (this.ready) this.#subscription?.resume();
  }

  /** The client shall come again. What a slow one did not take is dropped: it goes on from its last id. */
  #leave(slow: boolean): void {
    if (slow) this.#body.discard();
    this.#finish(retryBytes(this.#settings.retryMs()));
  }

  #finish(last: Uint8Array): void {
    if (!this.#open) return;
    this.#body.write(last);
    this.close();
  }
}
