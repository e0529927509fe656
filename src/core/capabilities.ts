/** E01: what this server can do for the caller. */

import { PROTOCOL_VERSION, SCHEMA_LEVEL } from '../protocol/version.ts';
import type { Capabilities } from '../protocol/status.ts';
import type { RequestContext } from './context.ts';
import type { EngineLimits, EngineOptions } from './parts.ts';

/** Describes the server; only collections that the caller may read are listed. */
export function describeCapabilities(
  options: EngineOptions,
  context: RequestContext,
): Capabilities {
  const collections = [...options.catalogue.values()]
    .filter((policy) => options.access.authorize(context.identity, policy.name, 'pull'))
    .map((policy) => ({
      name: policy.name,
      id_type: policy.id_type,
      conflict: policy.resolver,
      on_conflict: 'resolve' as const,
      delete_policy: policy.delete_policy,
    }));
  return {
    protocol_version: PROTOCOL_VERSION,
    schema_version: SCHEMA_LEVEL,
    app_name: options.app_name,
    server_version: options.server_version,
    server_time: new Date(options.system.clock.now()).toISOString(),
    epoch: options.meta.epoch,
    collections,
    features: {
      push: options.push_enabled !== false,
      pull: true,
      full: true,
      status: true,
      atomic_bundle: true,
      live: true,
    },
    limits: publicLimits(options.limits),
  };
}

/** A closed list: whatever else the given object holds (a configuration with secrets) stays here. */
function publicLimits(limits: EngineLimits): Record<keyof EngineLimits, number> {
  return {
    push_max_changes: limits.push_max_changes,
    max_document_bytes: limits.max_document_bytes,
    pull_default_limit: limits.pull_default_limit,
    pull_max_limit: limits.pull_max_limit,
    pull_max_bytes: limits.pull_max_bytes,
    full_default_limit: limits.full_default_limit,
    full_max_limit: limits.full_max_limit,
    max_clock_drift_ms: limits.max_clock_drift_ms,
  };
}
