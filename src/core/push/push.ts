/** The story of a push (E04): check, answer pure retries, commit with its group, report. */

import { SyncError } from '../../protocol/errors.ts';
import { ZERO_HLC } from '../../protocol/pure/hlc.ts';
import { BUNDLE_BYTES_MAX, PUSH_DEADLINE_MS } from '../../protocol/pure/limits.ts';
import type { PushRequest, PushResponse } from '../../protocol/push.ts';
import type { RequestContext } from '../context.ts';
import type { EngineCore } from '../parts.ts';
import type { SeenClients } from '../scope/clients.ts';
import { errorCodeOf } from '../store-failure.ts';
import { checkChanges } from './check-changes.ts';
import type { PushJob, PushSettled } from './commit-pushes.ts';
import type { CommitQueue } from './commit-queue.ts';
import { rolledBack } from './decide.ts';
import type { CheckedPush, PushOrigin, PushOutcome } from './group-input.ts';
import { answerRetries } from './receipts.ts';
import { rejection } from './results.ts';

/** Answer of a push, and the head's bundle number for the response headers. */
export interface PushAnswer {
  readonly body: PushResponse;
  readonly head_bundle_seq: number;
}

/** What a push needs of the engine. */
export interface PushParts extends EngineCore {
  readonly origin: PushOrigin;
  readonly queue: CommitQueue<PushJob, PushSettled>;
  readonly clients: SeenClients;
}

/** Pushes a batch of changes. Throws `SyncError` for the envelope and for a store that does not answer. */
export async function pushChanges(
  parts: PushParts,
  context: RequestContext,
  request: PushRequest,
): Promise<PushAnswer> {
  const started = parts.system.clock.monotonic();
  try {
    const push = checkPush(parts, context, request);
    const settled = (await withoutCommit(parts, push)) ?? (await commit(parts, context, push));
    report(parts, context, { push, settled, started });
    return answer(settled);
  } catch (error) {
    parts.telemetry.emit({
      event: 'push.failed',
      origin: parts.origin,
      scope_id: context.scope_id,
      request_id: context.request_id,
      code: errorCodeOf(error),
      ms: parts.system.clock.monotonic() - started,
    });
    throw error;
  }
}

function checkPush(
  parts: PushParts,
  context: RequestContext,
  request: PushRequest,
): CheckedPush & { readonly bytes: number } {
  const { push_max_changes, max_document_bytes } = parts.limits;
  if (request.changes.length > push_max_changes) {
    throw new SyncError('too_many_changes', { details: { limit: push_max_changes } });
  }
  const changes = checkChanges(request.changes, {
    catalogue: parts.catalogue,
    scope_id: context.scope_id,
    max_document_bytes,
    digest: parts.system.crypto.sha256,
    mayPush: (collection) => parts.access.authorize(context.identity, collection, 'push'),
  });
  const bytes = changes.reduce((sum, x) => sum + (x.kind === 'admitted' ? x.bytes : 0), 0);
  if (bytes > BUNDLE_BYTES_MAX) {
    throw new SyncError('bundle_too_large', { details: { limit: BUNDLE_BYTES_MAX } });
  }
  return {
    origin: parts.origin,
    scope_id: context.scope_id,
    scope_ids: context.identity.scope_ids,
    actor_id: context.identity.actor_id,
    client_id: request.client_id,
    atomic: request.atomic ?? parts.push_on_reject,
    changes,
    bytes,
  };
}

/** Answers that need no commit: nothing admitted, a bundle with a refused change, or pure retries. */
async function withoutCommit(
  parts: PushParts,
  push: CheckedPush,
): Promise<PushSettled | undefined> {
  const outcome = outcomeWithoutCommit(push) ?? (await answerRetries(parts.store, push));
  if (outcome === undefined) return undefined;
  const { head } = await parts.store.readScope(push.scope_id, null);
  return {
    outcome,
    head: head?.head_version || ZERO_HLC,
    head_bundle_seq: head?.head_bundle_seq ?? 0,
  };
}

function outcomeWithoutCommit(push: CheckedPush): PushOutcome | undefined {
  const refused = push.changes.filter((change) => change.kind === 'rejected');
  const hopeless = push.atomic === 'bundle' && refused.length > 0;
  if (refused.length < push.changes.length && !hopeless) return undefined;
  const results = push.changes.map((change) =>
    change.kind === 'rejected'
      ? rejection(change, change.code, change.issues)
      : rejection(change, 'batch_rolled_back'),
  );
  if (hopeless) return rolledBack(push, results, () => false);
  return { results, bundle_seq: null, rolled_back: false, rows: 0, conflicts: [] };
}

async function commit(
  parts: PushParts,
  context: RequestContext,
  push: CheckedPush & { readonly bytes: number },
): Promise<PushSettled> {
  const job: PushJob = {
    push,
    changes: push.changes.length,
    bytes: push.bytes,
    deadline_at: parts.system.clock.monotonic() + PUSH_DEADLINE_MS,
    isGone: () => context.signal?.aborted === true,
  };
  const settled = await parts.queue.enqueue(push.scope_id, job);
  parts.clients.seen({
    scope_id: push.scope_id,
    client_id: push.client_id,
    actor_id: push.actor_id,
  });
  return settled;
}

function answer({ outcome, head, head_bundle_seq }: PushSettled): PushAnswer {
  return {
    body: {
      results: [...outcome.results],
      head,
      bundle_seq: outcome.bundle_seq,
      ...(outcome.rolled_back ? { rolled_back: true } : {}),
    },
    head_bundle_seq,
  };
}

function report(
  parts: PushParts,
  context: RequestContext,
  done: {
    readonly push: CheckedPush;
    readonly settled: PushSettled;
    readonly started: number;
  },
): void {
  const { outcome } = done.settled;
  const count = (status: string) => outcome.results.filter((r) => r.status === status).length;
  parts.telemetry.emit({
    event: 'push.committed',
    origin: done.push.origin,
    scope_id: done.push.scope_id,
    actor_id: done.push.actor_id,
    client_id: done.push.client_id,
    request_id: context.request_id,
    changes: outcome.results.length,
    rows: outcome.rows,
    accepted: count('accepted'),
    resolved: count('conflict_resolved'),
    rejected: count('rejected'),
    duplicates: outcome.results.filter((result) => result.duplicate).length,
    rolled_back: outcome.rolled_back,
    conflicts: outcome.conflicts,
    bundle_seq: outcome.bundle_seq,
    ms: parts.system.clock.monotonic() - done.started,
  });
}
