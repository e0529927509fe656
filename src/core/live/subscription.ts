/**
 * One subscriber: a place in the scope's chain and a sink. Every step gives the sink the row after the
 * place, from memory or from the store, so that nothing can be left out or repeated [LD-1].
 */

import { type Hlc, ZERO_HLC } from '../../protocol/pure/hlc.ts';
import type { PullStale } from '../../protocol/pull.ts';
import type { RequestContext } from '../context.ts';
import type {
  LiveEnd,
  LiveRequest,
  LiveSink,
  LiveSubscriber,
  LiveSubscription,
} from '../ports/live.ts';
import type { OplogRead } from '../ports/records.ts';
import type { Clock } from '../ports/system.ts';
import { isPassing } from '../store-failure.ts';
import type { PageReader, ReplayPage } from './replay-pages.ts';
import type { ChannelMember, ScopeChannel } from './scope-channel.ts';
import type { Place, ScopeRows } from './scope-rows.ts';
import { LiveRow, type SharedFrame } from './shared-frame.ts';

/** What a subscription works with. */
export interface SubscriptionParts {
  readonly subscription_id: string;
  readonly context: RequestContext;
  readonly request: LiveRequest;
  /** Names that the caller may read. */
  readonly collections: readonly string[];
  readonly sink: LiveSink;
  readonly channel: ScopeChannel;
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'sleep'>;
  /** True when the client knows another history than the store's. */
  readonly epoch_changed: boolean;
  readPage(since: Hlc, reader: PageReader): Promise<ReplayPage | undefined>;
  /** The answer to a client that cannot go on. */
  stale(reason: 'epoch_changed' | 'collection_reset', head: Place, reset?: string): PullStale;
  onEnded(subscription: Subscription, reason: LiveEnd['kind'] | 'closed', cause?: unknown): void;
}

/** Pause after a page could not be read, ms. */
const RETRY_MS = 1_000;

/** See the file's comment. */
export class Subscription implements LiveSubscription, ChannelMember {
  readonly subscription_id: string;
  readonly collections: readonly string[];
  readonly started_ms: number;
  readonly started: number;
  sent = 0;
  readonly #parts: SubscriptionParts;
  readonly #visible: ReadonlySet<string>;
  #state: 'starting' | 'replaying' | 'live' | 'ended' = 'starting';
  /** `seq` is unknown until the place was found. */
  #place: { readonly version: Hlc | ''; readonly seq: number | undefined } | undefined;
  /** Of a subscriber of hints: the newest row that a page showed, until it is told. */
  #untold: LiveRow | undefined;
  /** The bundle of the last delivered row, and `seq` of its last row that is shown. */
  #bundle = { bundle_seq: 0, last_seq: 0 };
  /** `since` of the page that was given last, of which the sink may have taken a part. */
  #page_since: Hlc | undefined;
  #caughtUp = false;
  #writing = false;
  #stalled_at: number | undefined;
  #untaken = 0;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
    this.subscription_id = parts.subscription_id;
    this.collections = parts.collections;
    this.#visible = new Set(parts.collections);
    this.started_ms = parts.clock.now();
    this.started = parts.clock.monotonic();
  }

  get context(): RequestContext {
    return this.#parts.context;
  }

  get request(): LiveRequest {
    return this.#parts.request;
  }

  get channel(): ScopeChannel {
    return this.#parts.channel;
  }

  get position(): Hlc | null {
    return this.#place === undefined ? null : this.#place.version || ZERO_HLC;
  }

  get buffered_bytes(): number {
    return this.#parts.sink.buffered_bytes;
  }

  resume(): void {
    this.#stalled_at = undefined;
    this.wake();
  }

  close(): void {
    this.#finish('closed');
  }

  /** Ends it and tells the sink. */
  end(end: LiveEnd): void {
    if (!this.#finish(end.kind, end.kind === 'failed' ? end.cause : undefined)) return;
    try {
      this.#parts.sink.ended(end);
    } catch {
      // A sink that fails here has nobody left to tell, and the others must not suffer for it.
    }
  }

  /** How long the reader has taken nothing although there is something to take, ms. Bytes taken count. */
  stalledFor(now: number): number {
    const { buffered_bytes } = this;
    if (this.#stalled_at !== undefined && buffered_bytes < this.#untaken) this.#stalled_at = now;
    this.#untaken = buffered_bytes;
    return this.#stalled_at === undefined ? 0 : now - this.#stalled_at;
  }

  describe(): LiveSubscriber {
    const { request, context, clock, channel } = this.#parts;
    const tip = channel.rows?.tip;
    const seq = this.#place?.seq;
    return {
      subscription_id: this.subscription_id,
      transport: request.transport,
      mode: request.mode,
      actor_id: context.identity.actor_id,
      client_id: request.client_id,
      collections: this.collections,
      state: this.#state === 'ended' ? 'live' : this.#state,
      position: this.position,
      behind_rows: tip === undefined || seq === undefined ? null : Math.max(0, tip.seq - seq),
      buffered_bytes: this.buffered_bytes,
      stalled_ms:
        this.#stalled_at === undefined ? 0 : Math.round(clock.monotonic() - this.#stalled_at),
      sent: this.sent,
      since_ms: this.started_ms,
    };
  }

  /** Goes as far as memory, sink and history allow. Does nothing while that is already going on. */
  wake(): void {
    const { rows } = this.#parts.channel;
    if (rows === undefined || this.#state === 'ended' || this.#writing) return;
    this.#writing = true;
    try {
      this.#inOnePiece(() => {
        if (this.#state === 'starting') this.#begin(rows);
        if (this.#state === 'live') this.#goOn(rows);
      });
    } catch (error) {
      this.end({ kind: 'failed', cause: error });
    } finally {
      this.#writing = false;
    }
  }

  /** A write to a socket costs more than everything else about a frame. */
  #inOnePiece(work: () => void): void {
    const { sink } = this.#parts;
    sink.cork?.();
    try {
      work();
    } finally {
      sink.uncork?.();
    }
  }

  #begin(rows: ScopeRows): void {
    const { request, sink, epoch_changed } = this.#parts;
    const { since } = request;
    const { tip } = rows;
    this.#place = since === null ? tip : (rows.find(since) ?? { version: since, seq: undefined });
    this.#state = 'live';
    sink.subscribed(this.position as Hlc, tip.version || ZERO_HLC);
    if (epoch_changed) this.end({ kind: 'resync', stale: this.#parts.stale('epoch_changed', tip) });
  }

  #goOn(rows: ScopeRows): void {
    while (this.#state === 'live') {
      const next = this.#next(rows);
      if (next === 'none' && this.#untold === undefined) {
        this.#sayCaughtUp();
        return;
      }
      if (!this.#isReady()) return;
      if (next === 'elsewhere') void this.#replay();
      else if (this.#parts.request.mode === 'hints') this.#hint(rows);
      else if (next !== 'none') this.#deliver(rows, next);
    }
  }

  /** The row after the place; `elsewhere` when only the store can tell. */
  #next(rows: ScopeRows): LiveRow | 'none' | 'elsewhere' {
    const { version, seq } = this.#place as Place;
    if (seq === undefined) return 'elsewhere';
    // Replay has read further than the memory is.
    if (seq > rows.tip.seq) return 'none';
    return rows.holds({ version, seq }) ? (rows.after({ version, seq }) ?? 'none') : 'elsewhere';
  }

  #deliver(rows: ScopeRows, next: LiveRow): void {
    const { row } = next;
    if (this.#shows(row)) {
      this.#write(next.frame(this.#isLastShown(rows, row)));
    } else if (this.#isBarrier(row)) {
      this.#endAtBarrier(rows, row);
      return;
    }
    this.#place = row;
  }

  /** Looked for once per bundle: one of thousands of rows would cost their square. */
  #isLastShown(rows: ScopeRows, row: OplogRead): boolean {
    const { seq, bundle_seq } = row;
    if (this.#bundle.bundle_seq !== bundle_seq) {
      const last = rows.lastShown(row, (one) => this.#shows(one));
      this.#bundle = { bundle_seq, last_seq: last?.row.seq ?? seq };
    }
    return this.#bundle.last_seq === seq;
  }

  /** Only the newest bundle is told, however many there were. */
  #hint(rows: ScopeRows): void {
    let newest = this.#untold;
    for (let one = rows.after(this.#place as Place); one !== undefined; one = rows.after(one.row)) {
      if (this.#isBarrier(one.row)) {
        this.#endAtBarrier(rows, one.row);
        return;
      }
      if (this.#shows(one.row)) newest = one;
    }
    if (rows.tip.seq > (this.#place as Place).seq) this.#place = rows.tip;
    this.#untold = undefined;
    if (newest !== undefined) this.#writeHint(rows, newest);
  }

  #writeHint(rows: ScopeRows, { row, client_id }: LiveRow): void {
    const last = rows.lastShown(row, () => true);
    this.sent += 1;
    this.#parts.sink.hint({
      bundle_seq: row.bundle_seq,
      last_version: (last?.row ?? row).version,
      client_id,
      row_count: row.bundle_rows,
    });
  }

  #endAtBarrier(rows: ScopeRows, row: OplogRead): void {
    const stale = this.#parts.stale('collection_reset', rows.tip, row.collection);
    this.end({ kind: 'resync', stale });
  }

  /** One page from the store, or the part of it that the reader takes: it keeps nothing of the rest. */
  async #replay(): Promise<void> {
    this.#state = 'replaying';
    try {
      const page = await this.#readPage(this.position as Hlc);
      if (!this.#isReplaying()) return;
      this.#state = 'live';
      if (page !== undefined) this.#inOnePiece(() => this.#takePage(page));
    } catch (error) {
      this.end({ kind: 'failed', cause: error });
      return;
    }
    this.wake();
  }

  /** A sink that resumes while it is written to must not begin a second way to its next row. */
  #takePage(page: ReplayPage): void {
    if (page.kind === 'rows') this.#page_since = page.since;
    this.#writing = true;
    try {
      if (page.kind === 'stale') this.end({ kind: 'resync', stale: page.stale });
      else if (this.#parts.request.mode === 'hints') this.#skimPage(page.frames, page.end);
      else this.#writePage(page.frames, page.end);
    } finally {
      this.#writing = false;
    }
  }

  #writePage(frames: readonly SharedFrame[], end: Place): void {
    for (const frame of frames) {
      if (this.#state !== 'live' || !this.#isReady()) return;
      this.#write(frame);
      this.#place = frame.row;
    }
    this.#place = end;
  }

  /** The history reaches back. Rows behind the page need no look when a newer one is in memory. */
  #skimPage(frames: readonly SharedFrame[], end: Place): void {
    const { rows } = this.#parts.channel;
    const last = frames.at(-1);
    if (last !== undefined) this.#untold = new LiveRow(last.row);
    const skips = rows !== undefined && end.seq < rows.floor.seq && this.#tellsOf(rows);
    this.#place = skips ? rows.floor : end;
  }

  #tellsOf(rows: ScopeRows): boolean {
    for (let one = rows.after(rows.floor); one !== undefined; one = rows.after(one.row)) {
      if (this.#shows(one.row) || this.#isBarrier(one.row)) return true;
    }
    return false;
  }

  /** Undefined when it could not be read now: the database may come back. */
  async #readPage(since: Hlc): Promise<ReplayPage | undefined> {
    try {
      const reader = { waits: () => this.#isReplaying(), begun: this.#page_since };
      return await this.#parts.readPage(since, reader);
    } catch (error) {
      if (!isPassing(error)) throw error;
      await this.#parts.clock.sleep(RETRY_MS);
      return undefined;
    }
  }

  #write(frame: SharedFrame): void {
    this.sent += 1;
    this.#parts.sink.change(frame);
  }

  #sayCaughtUp(): void {
    if (this.#caughtUp) return;
    this.#caughtUp = true;
    this.#parts.sink.caughtUp(this.position as Hlc);
  }

  #isReady(): boolean {
    const { sink, clock } = this.#parts;
    if (sink.ready) return true;
    this.#stalled_at ??= clock.monotonic();
    return false;
  }

  #isReplaying(): boolean {
    return this.#state === 'replaying';
  }

  #shows(row: OplogRead): boolean {
    return row.operation !== 'reset' && this.#visible.has(row.collection);
  }

  #isBarrier(row: OplogRead): boolean {
    return row.operation === 'reset' && this.#visible.has(row.collection);
  }

  #finish(reason: LiveEnd['kind'] | 'closed', cause?: unknown): boolean {
    if (this.#state === 'ended') return false;
    this.#state = 'ended';
    this.#parts.onEnded(this, reason, cause);
    return true;
  }
}
