/** Events that the engine emits after the fact. The core neither logs nor counts. */

import type { StaleReason } from '../../protocol/pure/error-codes.ts';
import type { LiveEnd, LiveTransport } from './live.ts';
import type { Origin } from './records.ts';

/** One conflict of a push, for the counter and the log. No documents. */
export interface ConflictFact {
  readonly collection: string;
  readonly doc_id: string;
  readonly winner: 'incoming' | 'current';
}

/** What happened. Every event is emitted once per effect, never per attempt. */
export type EngineEvent =
  | {
      readonly event: 'push.committed';
      /** `server`: the application's own back end wrote. */
      readonly origin: 'push' | 'server';
      readonly scope_id: string;
      readonly actor_id: string;
      readonly client_id: string;
      readonly request_id: string;
      readonly changes: number;
      readonly rows: number;
      readonly accepted: number;
      readonly resolved: number;
      readonly rejected: number;
      readonly duplicates: number;
      /** True when bundle mode stored nothing. */
      readonly rolled_back: boolean;
      readonly conflicts: readonly ConflictFact[];
      readonly bundle_seq: number | null;
      /** From arrival in the engine to the durable commit, ms. */
      readonly ms: number;
    }
  | {
      readonly event: 'push.failed';
      /** `server`: the application's own back end wrote. */
      readonly origin: 'push' | 'server';
      readonly scope_id: string;
      readonly request_id: string;
      readonly code: string;
      readonly ms: number;
    }
  | {
      readonly event: 'group.committed';
      readonly scope_id: string;
      readonly pushes: number;
      readonly rows: number;
      readonly attempts: number;
      /** Newest version after the group ("" when none) and its lead over the store's clock, ms. */
      readonly head: string;
      readonly head_lead_ms: number;
    }
  | {
      /** The application wrote in its own transaction. */
      readonly event: 'scope.written';
      readonly scope_id: string;
      readonly actor_id: string;
      readonly rows: number;
      readonly bundle_seq: number | null;
      readonly attempts: number;
      readonly ms: number;
    }
  | {
      readonly event: 'pull.served';
      readonly scope_id: string;
      readonly request_id: string;
      readonly rows: number;
      readonly has_more: boolean;
      readonly ms: number;
    }
  | {
      readonly event: 'resync.required';
      readonly scope_id: string;
      readonly request_id: string;
      readonly endpoint: 'pull' | 'stream';
      readonly reason: StaleReason;
      readonly ms: number;
    }
  | {
      readonly event: 'full.page';
      readonly scope_id: string;
      readonly request_id: string;
      /** True for the first page of a walk. */
      readonly first: boolean;
      readonly documents: number;
      readonly ms: number;
    }
  | {
      readonly event: 'foreign.adopted';
      readonly scope_id: string;
      readonly collection: string;
      readonly verdict: string;
      readonly origin: Origin;
      readonly documents: number;
      readonly cause?: unknown;
    }
  | {
      readonly event: 'capture.state';
      readonly state: 'following' | 'comparing' | 'failed';
      readonly reason: string;
      readonly cause?: unknown;
    }
  /** Everything that was written until about now was looked at. */
  | { readonly event: 'capture.caught_up' }
  | {
      readonly event: 'live.subscribed';
      readonly scope_id: string;
      readonly request_id: string;
      readonly subscription_id: string;
      readonly transport: LiveTransport;
      /** Subscriptions of this process with this transport, this one included. */
      readonly open: number;
    }
  | {
      readonly event: 'live.ended';
      readonly scope_id: string;
      readonly request_id: string;
      readonly subscription_id: string;
      readonly transport: LiveTransport;
      readonly open: number;
      /** `closed`: by the client or its connection. */
      readonly reason: LiveEnd['kind'] | 'closed';
      readonly sent: number;
      readonly ms: number;
      readonly cause?: unknown;
    }
  | {
      /** A bundle reached the subscribers of its scope in this process. */
      readonly event: 'live.published';
      readonly scope_id: string;
      readonly rows: number;
      readonly subscribers: number;
      /** From the bundle's version to now, by this process's clock, ms. */
      readonly lag_ms: number;
    }
  | {
      readonly event: 'feed.state';
      readonly state: 'following' | 'polling';
      /**
       * `none`: the store has no feed. `refused`: the database gives it none. `silent`: rows were
       * committed and not told. Each reason for polling is said once until the feed is followed again.
       */
      readonly reason: 'opened' | 'reopened' | 'none' | 'refused' | 'ended' | 'failed' | 'silent';
      readonly cause?: unknown;
    }
  /** Rows that the feed left out were read from the store. */
  | { readonly event: 'feed.gap'; readonly scope_id: string; readonly rows: number }
  | { readonly event: 'retention.pruned'; readonly rows: number }
  | { readonly event: 'clock.held_back'; readonly jump_ms: number };

/** Receives events. Must not throw and must not block. */
export interface Telemetry {
  emit(event: EngineEvent): void;
}
