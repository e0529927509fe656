/** What the engine and its store are told of a configuration: collections as policies, lifetimes as a layout. */

import type { Catalogue, CollectionPolicy } from '../core/collections.ts';
import type { EngineLimits } from '../core/parts.ts';
import type { WantedLayout } from '../core/ports/store.ts';
import type { Crypto } from '../core/ports/system.ts';
import { canonicalJson, type JsonObject } from '../protocol/pure/canonical-json.ts';
import type { Config } from './finish-config.ts';

const DAY_SECONDS = 86_400;
const EPOCH_LENGTH = 16;
const CURSOR_KEY_BYTES = 32;

/** The configured collections as the engine's policies. */
export function catalogueOf(config: Config): Catalogue {
  return new Map(
    config.collections.map((options): [string, CollectionPolicy] => [
      options.name,
      {
        name: options.name,
        id_type: options.id_type,
        resolver: options.resolver,
        delete_policy: options.delete_policy,
        scope_field: options.scope_field?.split('.') ?? null,
        capture: options.capture === 'adopt',
        scope: options.scope ?? null,
      },
    ]),
  );
}

/** The engine's numbers, picked by name: what holds secrets beside them stays here. */
export function engineLimits(config: Config): EngineLimits & { readonly max_body_bytes: number } {
  return {
    max_body_bytes: config.max_body_bytes,
    push_max_changes: config.push_max_changes,
    max_document_bytes: config.max_document_bytes,
    pull_default_limit: config.pull_default_limit,
    pull_max_limit: config.pull_max_limit,
    pull_max_bytes: config.pull_max_bytes,
    full_default_limit: config.full_default_limit,
    full_max_limit: config.full_max_limit,
    max_clock_drift_ms: config.max_clock_drift_ms,
  };
}

/** The layout that this configuration needs. Random values are used only by a store that has none. */
export function wantedLayout(config: Config, crypto: Crypto): WantedLayout {
  return {
    collections: config.collections.map(({ name, id_type }) => ({ name, id_type })),
    oplog_ttl_seconds: config.oplog_ttl_days * DAY_SECONDS,
    receipt_ttl_seconds: config.receipt_ttl_days * DAY_SECONDS,
    tombstone_ttl_seconds: config.tombstone_ttl_days * DAY_SECONDS,
    conflict_ttl_seconds: config.conflict_ttl_days * DAY_SECONDS,
    catalogue_hash: catalogueHash(config, crypto),
    new_epoch: crypto.randomBase36(EPOCH_LENGTH),
    new_cursor_key: crypto.randomHex(CURSOR_KEY_BYTES),
  };
}

/** Equal for configurations whose collections mean the same, whatever their order. */
function catalogueHash(config: Config, crypto: Crypto): string {
  const entries = [...catalogueOf(config)].sort(([a], [b]) => (a < b ? -1 : 1));
  const policies = entries.map(([, policy]) => ({ ...policy }) as unknown as JsonObject);
  return crypto.sha256(canonicalJson(policies));
}
