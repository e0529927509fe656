/** `SyncEngine`: one method per use case, the drain guard, and nothing else. */

import type { FullQuery } from '../protocol/full.ts';
import type { PullQuery } from '../protocol/pull.ts';
import { SyncError } from '../protocol/errors.ts';
import type { PushRequest } from '../protocol/push.ts';
import type { Capabilities } from '../protocol/status.ts';
import type { Catalogue } from './collections.ts';
import type { RequestContext } from './context.ts';
import { describeCapabilities } from './capabilities.ts';
import { HybridClock } from './hybrid-clock.ts';
import type { Access } from './ports/access.ts';
import type { StoreMeta, SyncStore } from './ports/store.ts';
import type { System } from './ports/system.ts';
import type { Telemetry } from './ports/telemetry.ts';
import type { FullAnswer, PullAnswer } from './pull/answers.ts';
import { serveFull } from './pull/full-resync.ts';
import { servePull } from './pull/pull.ts';
import { CommitQueue } from './push/commit-queue.ts';
import { type PushAnswer, pushChanges } from './push/push.ts';

/** Numbers from the configuration; see `protocol/pure/limits.ts` for units and maxima. */
export interface EngineLimits {
  readonly push_max_changes: number;
  readonly max_document_bytes: number;
  readonly pull_default_limit: number;
  readonly pull_max_limit: number;
  readonly pull_max_bytes: number;
  readonly full_default_limit: number;
  readonly full_max_limit: number;
  readonly max_clock_drift_ms: number;
}

/** Everything the engine is made of. `meta` was read from the store after its setup. */
export interface EngineOptions {
  readonly store: SyncStore;
  readonly system: System;
  readonly telemetry: Telemetry;
  readonly access: Pick<Access, 'authorize'>;
  readonly catalogue: Catalogue;
  readonly limits: EngineLimits;
  readonly meta: StoreMeta;
  /** Default of a push's `atomic`. */
  readonly push_on_reject: 'partial' | 'bundle';
  /** Changes stamped before this age without a receipt are refused, ms. */
  readonly receipt_lifetime_ms: number;
  /** Sanitised to at most 4 characters and put in front of the random node id; "" for none. */
  readonly node_prefix: string;
  readonly app_name: string;
  readonly server_version: string;
}

/** What use cases get: the options and the engine's own state. */
export interface EngineParts extends EngineOptions {
  readonly hybridClock: HybridClock;
  readonly queue: CommitQueue;
}

/** The engine. Safe for any number of concurrent calls; `drain` before closing the store. */
export class SyncEngine {
  readonly #parts: EngineParts;
  #draining = false;
  #running = 0;
  #idle: (() => void) | undefined;

  constructor(options: EngineOptions) {
    this.#parts = {
      ...options,
      hybridClock: new HybridClock(options.system, options.node_prefix),
      queue: new CommitQueue(),
    };
  }

  /** History of this store, for `Sync-Epoch`. */
  get epoch(): string {
    return this.#parts.meta.epoch;
  }

  /** E04. Rejections are values in the answer. */
  push(context: RequestContext, request: PushRequest): Promise<PushAnswer> {
    return this.#guard(() => pushChanges(this.#parts, context, request));
  }

  /** E06. A stale cursor is an answer, not an error. */
  pull(context: RequestContext, query: PullQuery): Promise<PullAnswer> {
    return this.#guard(() => servePull(this.#parts, context, query));
  }

  /** E07. One page. */
  full(context: RequestContext, query: FullQuery): Promise<FullAnswer> {
    return this.#guard(() => serveFull(this.#parts, context, query));
  }

  /** E01. */
  capabilities(context: RequestContext): Capabilities {
    return describeCapabilities(this.#parts, context);
  }

  /** Refuses new work with 503 and resolves when nothing is running. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
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
      if (this.#running === 0) this.#idle?.();
    }
  }
}
