/** One engine event of each kind, and variants that are logged differently. */

import type { EngineEvent } from '../../src/core/ports/telemetry.ts';

const push = {
  event: 'push.committed',
  origin: 'push',
  scope_id: 's1',
  actor_id: 'ann',
  client_id: 'c1',
  request_id: 'r1',
  changes: 4,
  rows: 2,
  accepted: 2,
  resolved: 1,
  rejected: 1,
  duplicates: 1,
  rolled_back: false,
  conflicts: [],
  bundle_seq: 7,
  ms: 12,
} as const satisfies EngineEvent;

/** Events by a name of the tests. */
export const EVENTS = {
  push,
  conflict: {
    ...push,
    conflicts: [
      { collection: 'tasks', doc_id: 't1', winner: 'incoming' },
      { collection: 'made-up', doc_id: 't2', winner: 'current' },
    ],
  },
  rolledBack: { ...push, accepted: 0, resolved: 0, rejected: 4, rows: 0, rolled_back: true },
  pushFailed: {
    event: 'push.failed',
    origin: 'server',
    scope_id: 's1',
    request_id: 'r1',
    code: 'database_unavailable',
    ms: 3,
  },
  group: {
    event: 'group.committed',
    scope_id: 's1',
    pushes: 5,
    rows: 9,
    attempts: 3,
    head: '20260502T150000.000Z-0005-a1b2',
    head_lead_ms: 250,
  },
  written: {
    event: 'scope.written',
    scope_id: 's1',
    actor_id: 'job',
    rows: 2,
    bundle_seq: 8,
    attempts: 2,
    ms: 9,
  },
  groupAhead: {
    event: 'group.committed',
    scope_id: 's1',
    pushes: 1,
    rows: 1,
    attempts: 1,
    head: '20260502T150000.000Z-0005-a1b2',
    head_lead_ms: 60_000,
  },
  pull: { event: 'pull.served', scope_id: 's1', request_id: 'r1', rows: 11, has_more: true, ms: 2 },
  resync: {
    event: 'resync.required',
    scope_id: 's1',
    request_id: 'r1',
    endpoint: 'pull',
    reason: 'history_pruned',
    ms: 2,
  },
  fullFirst: {
    event: 'full.page',
    scope_id: 's1',
    request_id: 'r1',
    first: true,
    documents: 10,
    ms: 4,
  },
  fullNext: {
    event: 'full.page',
    scope_id: 's1',
    request_id: 'r1',
    first: false,
    documents: 3,
    ms: 4,
  },
  pruned: { event: 'retention.pruned', rows: 500 },
  prunedNothing: { event: 'retention.pruned', rows: 0 },
  clock: { event: 'clock.held_back', jump_ms: 90_000 },
} as const satisfies Record<string, EngineEvent>;
