/**
 * The hub of live delivery: one channel per scope that has subscribers in this process, fed by one feed.
 * Subscribers have no queues; each is a place in the memory of its scope (see `Subscription`).
 */

import { SyncError } from '../../protocol/errors.ts';
import { parseHlc } from '../../protocol/pure/hlc.ts';
import type { RequestContext } from '../context.ts';
import type { EngineOptions } from '../parts.ts';
import type {
  LiveDelivery,
  LiveEnd,
  LiveRequest,
  LiveSink,
  LiveSubscriber,
  LiveSubscription,
  LiveTransport,
} from '../ports/live.ts';
import type { OplogRead, ScopeHead } from '../ports/records.ts';
import { staleBody } from '../pull/pull.ts';
import { readableCollections } from '../readable.ts';
import { isPassing } from '../store-failure.ts';
import { type FeedTarget, followFeed } from './feed-follower.ts';
import { HEADS_PER_READ, LIVE_LIMITS, type LiveLimits, SWEEP_EVERY_MS } from './live-limits.ts';
import { ReplayPages } from './replay-pages.ts';
import { ScopeChannel } from './scope-channel.ts';
import { Subscription } from './subscription.ts';

/** Characters of a subscription's id. */
const ID_LENGTH = 12;

interface KnownChannel {
  readonly channel: ScopeChannel;
  readonly subscriptions: Set<Subscription>;
  /** Monotonic time since when nobody subscribes, ms. */
  empty_since: number | undefined;
}

/** See the file's comment. */
export class LiveHub implements LiveDelivery, FeedTarget {
  readonly #core: EngineOptions;
  readonly #limits: LiveLimits;
  readonly #pages: ReplayPages;
  readonly #channels = new Map<string, KnownChannel>();
  readonly #open: Record<LiveTransport, number> = { websocket: 0, events: 0 };
  readonly #stop = new AbortController();
  #running: Promise<unknown> | undefined;
  #draining = false;

  constructor(core: EngineOptions, limits: LiveLimits = LIVE_LIMITS) {
    this.#core = core;
    this.#limits = { ...limits, slow_reader_ms: core.slow_reader_ms ?? limits.slow_reader_ms };
    this.#pages = new ReplayPages(core, core.system.clock, this.#limits);
  }

  /** Follows the feed and looks after slow readers until `drain`. */
  start(): void {
    const { store, system, telemetry } = this.#core;
    const { clock } = system;
    const { signal } = this.#stop;
    this.#running ??= Promise.all([
      followFeed({ feed: store.feed, clock, telemetry, target: this }, signal),
      this.#sweepOn(signal),
    ]);
  }

  subscribe(context: RequestContext, request: LiveRequest, sink: LiveSink): LiveSubscription {
    if (this.#draining) {
      throw new SyncError('service_unavailable', { details: { reason: 'draining' } });
    }
    const wanted = { collections: request.collections, action: 'stream' as const };
    const collections = readableCollections(this.#core, context, wanted);
    const known = this.#channelOf(context.scope_id);
    const { meta, system } = this.#core;
    const { scope_id, epoch } = context;
    const subscription = new Subscription({
      subscription_id: system.crypto.randomBase36(ID_LENGTH),
      ...{ context, request, collections, sink, channel: known.channel, clock: system.clock },
      epoch_changed: epoch !== undefined && epoch !== meta.epoch,
      readPage: (since, reader) => this.#pages.read({ scope_id, since, collections }, reader),
      stale: (reason, head, reset) => {
        const at = { head_version: head.version, head_seq: head.seq } as ScopeHead;
        const found = { kind: 'stale' as const, head: at, reason };
        const how = reset === undefined ? found : { ...found, reset: [reset] };
        return staleBody(this.#core, how, collections);
      },
      onEnded: (ended, reason, cause) => this.#onEnded(known, ended, { reason, cause }),
    });
    this.#add(known, subscription);
    return subscription;
  }

  list(scope_id: string): readonly LiveSubscriber[] {
    const known = this.#channels.get(scope_id);
    return known === undefined ? [] : [...known.subscriptions].map((one) => one.describe());
  }

  /** Ends every subscription, takes no new ones, and lets go of the feed. */
  async drain(): Promise<void> {
    this.#draining = true;
    for (const one of this.#subscriptions()) one.end({ kind: 'draining' });
    this.#stop.abort();
    await this.#running;
  }

  tell(scope_id: string, rows: readonly OplogRead[]): void {
    this.#channels.get(scope_id)?.channel.tell(rows);
  }

  feedOpened(): void {
    for (const { channel } of this.#channels.values()) channel.forgive();
  }

  async look(): Promise<boolean> {
    const ids = [...this.#channels.keys()];
    let silent = false;
    for (let at = 0; at < ids.length; at += HEADS_PER_READ) {
      const some = ids.slice(at, at + HEADS_PER_READ);
      const heads = await this.#core.store.readHeads(some).catch(() => undefined);
      if (heads === undefined) return silent;
      const found = new Map(heads.map((head) => [head.scope_id, head]));
      for (const id of some) {
        if (this.#channels.get(id)?.channel.look(found.get(id)) === true) silent = true;
      }
    }
    return silent;
  }

  /** Cuts off readers that take nothing, forgets scopes without readers, and bounds the memory. */
  sweep(): void {
    const now = this.#core.system.clock.monotonic();
    const { slow_reader_ms, untaken_total_bytes } = this.#limits;
    let untaken = 0;
    const stalled: { readonly one: Subscription; readonly ms: number }[] = [];
    for (const one of this.#subscriptions()) {
      const ms = one.stalledFor(now);
      untaken += one.buffered_bytes;
      if (ms > 0) stalled.push({ one, ms });
    }
    stalled.sort((a, b) => b.ms - a.ms);
    for (const { one, ms } of stalled) {
      if (ms < slow_reader_ms && untaken <= untaken_total_bytes) break;
      untaken -= one.buffered_bytes;
      one.end({ kind: 'slow' });
    }
    this.#pages.forget();
    this.#boundMemory(now);
  }

  #boundMemory(now: number): void {
    const { linger_ms, memory_total_bytes } = this.#limits;
    let bytes = 0;
    for (const [scope_id, { channel, empty_since }] of this.#channels) {
      if (empty_since !== undefined && now - empty_since >= linger_ms) {
        this.#channels.delete(scope_id);
      } else {
        bytes += channel.rows?.bytes ?? 0;
      }
    }
    if (bytes <= memory_total_bytes) return;
    const share = Math.floor(memory_total_bytes / this.#channels.size);
    for (const { channel } of this.#channels.values()) channel.trim(share);
  }

  async #sweepOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#core.system.clock.sleep(SWEEP_EVERY_MS, signal);
      this.sweep();
    }
  }

  #channelOf(scope_id: string): KnownChannel {
    const found = this.#channels.get(scope_id);
    if (found !== undefined) return found;
    const known: KnownChannel = {
      channel: new ScopeChannel({
        store: this.#core.store,
        scope_id,
        limits: this.#limits,
        clock: this.#core.system.clock,
        onPublished: (rows, gap_rows) => this.#onPublished(known, rows, gap_rows),
        onFailed: (error) => this.#onUnread(known, error),
      }),
      subscriptions: new Set(),
      empty_since: undefined,
    };
    this.#channels.set(scope_id, known);
    return known;
  }

  #add(known: KnownChannel, subscription: Subscription): void {
    const { context, request, subscription_id } = subscription;
    known.subscriptions.add(subscription);
    known.channel.members.add(subscription);
    known.empty_since = undefined;
    this.#open[request.transport] += 1;
    this.#core.telemetry.emit({
      event: 'live.subscribed',
      scope_id: context.scope_id,
      request_id: context.request_id,
      subscription_id,
      transport: request.transport,
      open: this.#open[request.transport],
    });
    // After the caller has its subscription.
    queueMicrotask(() => {
      if (known.channel.rows === undefined) known.channel.open();
      else subscription.wake();
    });
  }

  #onEnded(
    known: KnownChannel,
    subscription: Subscription,
    { reason, cause }: { readonly reason: LiveEnd['kind'] | 'closed'; readonly cause: unknown },
  ): void {
    const { context, request, subscription_id, sent, started } = subscription;
    const { clock } = this.#core.system;
    known.subscriptions.delete(subscription);
    known.channel.members.delete(subscription);
    if (known.subscriptions.size === 0) known.empty_since = clock.monotonic();
    this.#open[request.transport] -= 1;
    this.#core.telemetry.emit({
      event: 'live.ended',
      scope_id: context.scope_id,
      request_id: context.request_id,
      transport: request.transport,
      open: this.#open[request.transport],
      ms: clock.monotonic() - started,
      ...{ subscription_id, reason, sent, cause },
    });
  }

  /** A database may come back: the next look at the heads tries again. Nobody waits for another failure. */
  #onUnread({ subscriptions }: KnownChannel, cause: unknown): void {
    if (isPassing(cause)) return;
    for (const one of [...subscriptions]) one.end({ kind: 'failed', cause });
  }

  #onPublished(known: KnownChannel, rows: readonly OplogRead[], gap_rows: number): void {
    const { telemetry, system } = this.#core;
    const [first] = rows;
    if (first === undefined) return;
    const scope_id = known.channel.scope_id;
    if (gap_rows > 0) telemetry.emit({ event: 'feed.gap', scope_id, rows: gap_rows });
    telemetry.emit({
      event: 'live.published',
      scope_id,
      rows: rows.length,
      subscribers: known.subscriptions.size,
      lag_ms: system.clock.now() - (parseHlc(first.version)?.p ?? system.clock.now()),
    });
  }

  *#subscriptions(): Generator<Subscription> {
    for (const { subscriptions } of this.#channels.values()) yield* subscriptions;
  }
}
