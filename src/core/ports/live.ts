/**
 * The port of live delivery: what a socket or an event stream is to the hub (`LiveSink`), and what the
 * hub gives its owner.
 */

import type { RequestContext } from '../context.ts';
import type { PullStale } from '../../protocol/pull.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import type { OplogRead } from './records.ts';

/** What a subscription delivers: every row, or only that there is something to pull. */
export type LiveMode = 'rows' | 'hints';

/** How a subscriber is connected. */
export type LiveTransport = 'websocket' | 'events';

/** The newest bundle that a subscriber of hints has not been told of. */
export interface BundleHint {
  readonly bundle_seq: number;
  /** Version of the bundle's last row: pull until here. */
  readonly last_version: Hlc;
  /** Who made it; null when unknown. */
  readonly client_id: string | null;
  /** Rows of this one bundle; earlier ones may be hinted at by it as well. */
  readonly row_count: number;
}

/** Why a subscription is over. */
export type LiveEnd =
  /** The history does not reach back: full resync. */
  | { readonly kind: 'resync'; readonly stale: PullStale }
  /** The reader took nothing for too long while there was something to take. */
  | { readonly kind: 'slow' }
  /** The server stops; another process, or this one later, goes on from the client's place. */
  | { readonly kind: 'draining' }
  | { readonly kind: 'failed'; readonly cause: unknown };

/**
 * One reader. The hub writes only while `ready`; once that is false and becomes true again, the sink
 * calls `resume` of its subscription. No member may throw.
 */
export interface LiveSink {
  readonly ready: boolean;
  /** Bytes that were written and not taken yet. */
  readonly buffered_bytes: number;
  /** What is written between the two may leave as one piece. */
  cork?(): void;
  uncork?(): void;
  /** First of all: the place from which rows follow, and the newest version of the scope. */
  subscribed(since: Hlc, head: Hlc): void;
  change(frame: ChangeFrame): void;
  hint(bundle: BundleHint): void;
  /** Everything up to here was written; said once per subscription. */
  caughtUp(last_seq: Hlc): void;
  /** Last of all; nothing is written after it. */
  ended(end: LiveEnd): void;
}

/** A row on its way to many readers: what one of them made of it, the others reuse. */
export interface ChangeFrame {
  readonly row: OplogRead;
  /** True when no later row of its bundle is delivered. */
  readonly bundle_end: boolean;
  /** The row as a pull gives it, with `"type": "change"` in front. */
  readonly json: string;
  /** The bytes of this frame for a kind of reader; `encode` runs once per kind. */
  encoded(kind: string, encode: (frame: ChangeFrame) => Uint8Array): Uint8Array;
}

/** What to deliver. */
export interface LiveRequest {
  /** Rows above this version; null = from now on. */
  readonly since: Hlc | null;
  /** Undefined = all that the caller may read. */
  readonly collections: readonly string[] | undefined;
  readonly mode: LiveMode;
  readonly transport: LiveTransport;
  /** Names the device to people; authorises nothing. */
  readonly client_id: string | null;
}

/** A subscriber as its own scope may see it. */
export interface LiveSubscriber {
  readonly subscription_id: string;
  readonly transport: LiveTransport;
  readonly mode: LiveMode;
  readonly actor_id: string;
  readonly client_id: string | null;
  readonly collections: readonly string[];
  readonly state: 'starting' | 'replaying' | 'live';
  /** Version up to which everything was written; null until the place is known. */
  readonly position: Hlc | null;
  /** Rows of the scope that were not written yet; null until the place is known. */
  readonly behind_rows: number | null;
  readonly buffered_bytes: number;
  /** How long the reader has taken nothing although there is something to take, ms. */
  readonly stalled_ms: number;
  /** Rows or hints that were written. */
  readonly sent: number;
  /** ms since 1970. */
  readonly since_ms: number;
}

/** A subscription in the hands of its sink's owner. */
export interface LiveSubscription {
  readonly subscription_id: string;
  /** Names of the collections that are delivered. */
  readonly collections: readonly string[];
  /** Version up to which everything was written; null until the place is known. */
  readonly position: Hlc | null;
  /** The sink can take more. */
  resume(): void;
  /** Ends it without a word to the sink. */
  close(): void;
}

/** Live delivery as its adapters see it; the engine's `live` is one. */
export interface LiveDelivery {
  /**
   * Begins to deliver. Nothing is written to the sink before this returned. Throws `SyncError`:
   * `collection_forbidden`, or `service_unavailable` while draining.
   */
  subscribe(context: RequestContext, request: LiveRequest, sink: LiveSink): LiveSubscription;
  /** Subscribers of a scope in this process, oldest first. */
  list(scope_id: string): readonly LiveSubscriber[];
}
