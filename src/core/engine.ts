/** `SyncEngine`: one method per use case, the drain guard, and nothing else. */

import type { FullQuery } from '../protocol/full.ts';
import type { PullQuery } from '../protocol/pull.ts';
import type { ScopeStatus, StatusQuery } from '../protocol/scope-status.ts';
import { SyncError } from '../protocol/errors.ts';
import type { PushRequest } from '../protocol/push.ts';
import type { ServerChangesRequest } from '../protocol/server-changes.ts';
import type { Capabilities } from '../protocol/status.ts';
import type { RequestContext } from './context.ts';
import { describeCapabilities } from './capabilities.ts';
import { Adoption } from './foreign/adoption.ts';
import { HybridClock } from './hybrid-clock.ts';
import { LiveHub } from './live/hub.ts';
import type { EngineOptions } from './parts.ts';
import type { FullAnswer, PullAnswer } from './pull/answers.ts';
import { serveFull } from './pull/full-resync.ts';
import { servePull } from './pull/pull.ts';
import { readStatus } from './pull/status.ts';
import { commitPushes } from './push/commit-pushes.ts';
import { CommitQueue } from './push/commit-queue.ts';
import { type PushAnswer, pushChanges } from './push/push.ts';
import { SeenClients } from './scope/clients.ts';
import type { WrittenBundle } from './server-writes/decide-scope-write.ts';
import {
  buildSyncMetadata,
  type MetadataRequest,
  recordServerChange,
  type ServerChange,
  type SyncMetadata,
} from './server-writes/record-server-change.ts';
import { ScopeTurns } from './server-writes/scope-turns.ts';
import {
  type ScopeWriteParts,
  type ScopeWriteRequest,
  type ScopeWriteResult,
  withScopeWrite,
} from './server-writes/with-scope-write.ts';
import { type ServerContext, writeServerChanges } from './server-writes/write-changes.ts';

/** How long a device waits before it asks a read-only server again, seconds. */
const PUSH_DISABLED_RETRY_SECONDS = 60;

/** The engine. Safe for any number of concurrent calls; `drain` before closing the store. */
export class SyncEngine {
  readonly #parts: ScopeWriteParts;
  /** E14, E15. Live delivery; it follows the feed once it was started. */
  readonly live: LiveHub;
  #draining = false;
  #running = 0;
  readonly #waitingForIdle: (() => void)[] = [];

  constructor(options: EngineOptions) {
    const core = { ...options, hybridClock: new HybridClock(options.system, options.node_prefix) };
    this.#parts = {
      ...core,
      origin: 'push',
      queue: new CommitQueue((scope_id, jobs) => commitPushes(core, scope_id, jobs)),
      clients: new SeenClients(options.store, options.system.clock),
      turns: new ScopeTurns(),
    };
    this.live = new LiveHub(options);
  }

  /** Adoption and capture; null for a store that no other program writes to. */
  get adoption(): Adoption | null {
    return this.#parts.store.foreign === null ? null : new Adoption(this.#parts);
  }

  /** History of this store, for `Sync-Epoch`. */
  get epoch(): string {
    return this.#parts.meta.epoch;
  }

  /** E04. Rejections are values in the answer. */
  push(context: RequestContext, request: PushRequest): Promise<PushAnswer> {
    return this.#guard(() => {
      if (this.#parts.push_enabled === false) throw pushDisabled();
      return pushChanges(this.#parts, context, request);
    });
  }

  /** E19. What the application's own back end writes; also while devices may not push. */
  writeServerChanges(context: ServerContext, request: ServerChangesRequest): Promise<PushAnswer> {
    return this.#guard(() => writeServerChanges(this.#parts, context, request));
  }

  /** E19. Writes of the application in its own function; see `ScopeWriter`. */
  withScopeWrite<T>(request: ScopeWriteRequest<T>): Promise<ScopeWriteResult<T>> {
    return this.#guard(() => withScopeWrite(this.#parts, request));
  }

  /** E19. Locks the scope in a transaction of the application and gives the stamp for its documents. */
  buildSyncMetadata(request: MetadataRequest): Promise<SyncMetadata> {
    return this.#guard(() => buildSyncMetadata(this.#parts, request));
  }

  /** E19. Makes the row about one document that the application wrote in that transaction. */
  recordServerChange(change: ServerChange): Promise<WrittenBundle> {
    return this.#guard(() => recordServerChange(this.#parts, change));
  }

  /** E06. A stale cursor is an answer, not an error. */
  pull(context: RequestContext, query: PullQuery): Promise<PullAnswer> {
    return this.#guard(() => servePull(this.#parts, context, query));
  }

  /** E07. One page. */
  full(context: RequestContext, query: FullQuery): Promise<FullAnswer> {
    return this.#guard(() => serveFull(this.#parts, context, query));
  }

  /** E11. Reads the same few rows however much the scope holds. */
  status(context: RequestContext, query: StatusQuery): Promise<ScopeStatus> {
    return this.#guard(() => readStatus(this.#parts, context, query));
  }

  /** E01. */
  capabilities(context: RequestContext): Capabilities {
    return describeCapabilities(this.#parts, context);
  }

  /** Refuses new work with 503, ends live delivery, and resolves when nothing is running. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.live.drain();
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#waitingForIdle.push(resolve);
    });
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    if (this.#draining) {
      throw new SyncError('service_unavailable', { details: { reason: 'draining' } });
    }
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      if (this.#running === 0) for (const resolve of this.#waitingForIdle.splice(0)) resolve();
    }
  }
}

/** Devices keep their edits and try again: this is a stage of a roll-out, not a refusal of an edit. */
function pushDisabled(): SyncError {
  return new SyncError('service_unavailable', {
    details: { reason: 'push_disabled' },
    retryAfterSeconds: PUSH_DISABLED_RETRY_SECONDS,
  });
}
