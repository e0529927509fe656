/** What the engine is made of. */

import type { Catalogue } from './collections.ts';
import type { HybridClock } from './hybrid-clock.ts';
import type { Access } from './ports/access.ts';
import type { StoreMeta } from './ports/history.ts';
import type { OpenStore } from './ports/scope-writes.ts';
import type { System } from './ports/system.ts';
import type { Telemetry } from './ports/telemetry.ts';

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
  readonly store: OpenStore;
  readonly system: System;
  readonly telemetry: Telemetry;
  readonly access: Pick<Access, 'authorize'>;
  readonly catalogue: Catalogue;
  readonly limits: EngineLimits;
  readonly meta: StoreMeta;
  /** False = devices read only: their pushes wait, the back end's own writes go on. Default true. */
  readonly push_enabled?: boolean;
  /** Default of a push's `atomic`. */
  readonly push_on_reject: 'partial' | 'bundle';
  /** Changes stamped before this age without a receipt are refused, ms. */
  readonly receipt_lifetime_ms: number;
  /** Sanitised to at most 4 characters and put in front of the random node id; "" for none. */
  readonly node_prefix: string;
  /** How long a live reader may take nothing while there is something to take, ms; default 10 s. */
  readonly slow_reader_ms?: number;
  readonly app_name: string;
  readonly server_version: string;
}

/** The options and the clock that draws versions: all that the commit of a group needs. */
export interface EngineCore extends EngineOptions {
  readonly hybridClock: HybridClock;
}
