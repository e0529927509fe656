/** The story of a pull (E06): what the caller may read, one page of it, one event, the answer. */

import { closePullLine, type PullQuery, type PullStale } from '../../protocol/pull.ts';
import { compareHlc, type Hlc, ZERO_HLC } from '../../protocol/pure/hlc.ts';
import type { RequestContext } from '../context.ts';
import type { EngineCore } from '../parts.ts';
import { readableCollections } from '../readable.ts';
import { asSyncError } from '../store-failure.ts';
import type { PullAnswer } from './answers.ts';
import { type PageRead, readPage } from './read-page.ts';

/** Serves one page, or says why the client needs a full resync. */
export async function servePull(
  core: EngineCore,
  context: RequestContext,
  query: PullQuery,
): Promise<PullAnswer> {
  const started = core.system.clock.monotonic();
  const collections = readableCollections(core, context, {
    collections: query.collections,
    action: 'pull',
  });
  try {
    const { scope_id, epoch } = context;
    const { since, limit } = query;
    const found = await readPage(core, { scope_id, epoch, since, limit, collections });
    const ms = core.system.clock.monotonic() - started;
    return answer(found, { core, context, collections, ms });
  } catch (error) {
    throw asSyncError(error);
  }
}

interface AnswerOptions {
  readonly core: EngineCore;
  readonly context: RequestContext;
  readonly collections: readonly string[];
  readonly ms: number;
}

function answer(found: PageRead, options: AnswerOptions): PullAnswer {
  if (found.kind === 'stale') return stale(found, options);
  const { head, cut } = found;
  const { core, context, ms } = options;
  const head_seq = head?.head_seq ?? 0;
  const page: PullAnswer = {
    kind: 'page',
    changes: cut?.rows.map(({ row, bundle_end }) => closePullLine(row.line, bundle_end)) ?? [],
    last_seq: cut?.last_version ?? (head?.head_version || ZERO_HLC),
    has_more: cut !== null && cut.last_seq < head_seq,
    // Rows may have been committed between the two reads: the head is never below the page.
    head: newest(head?.head_version || ZERO_HLC, cut?.last_version ?? ZERO_HLC),
    head_bundle_seq: head?.head_bundle_seq ?? 0,
  };
  core.telemetry.emit({
    event: 'pull.served',
    scope_id: context.scope_id,
    request_id: context.request_id,
    rows: page.changes.length,
    has_more: page.has_more,
    ms,
  });
  return page;
}

function newest(a: Hlc, b: Hlc): Hlc {
  return compareHlc(a, b) >= 0 ? a : b;
}

function stale(
  found: Extract<PageRead, { kind: 'stale' }>,
  { core, context, collections, ms }: AnswerOptions,
): PullAnswer {
  core.telemetry.emit({
    event: 'resync.required',
    scope_id: context.scope_id,
    request_id: context.request_id,
    endpoint: 'pull',
    reason: found.reason,
    ms,
  });
  return {
    kind: 'stale',
    body: staleBody(core, found, collections),
    head_bundle_seq: found.head?.head_bundle_seq ?? 0,
  };
}

/** What a client is told that cannot go on. */
export function staleBody(
  { meta }: Pick<EngineCore, 'meta'>,
  { head, reason, reset }: Extract<PageRead, { kind: 'stale' }>,
  collections: readonly string[],
): PullStale {
  return {
    full_resync_required: true,
    reason,
    collections: [...collections],
    head: head?.head_version || ZERO_HLC,
    epoch: meta.epoch,
    ...(reset === undefined ? {} : { details: { reset: [...reset] } }),
  };
}
