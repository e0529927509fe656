/** The story of a full resync page (E07): the head first, then documents and tombstones in id order. */

import type { FullQuery } from '../../protocol/full.ts';
import { SyncError } from '../../protocol/errors.ts';
import { compareHlc, type Hlc, ZERO_HLC } from '../../protocol/pure/hlc.ts';
import {
  CURSOR_LIFETIME_MS,
  FULL_HEAD_WAIT_MS,
  FULL_HEAD_WAITS_MAX,
} from '../../protocol/pure/limits.ts';
import type { RequestContext } from '../context.ts';
import { invariant } from '../invariant.ts';
import type { EngineCore } from '../parts.ts';
import type { ScopeHead } from '../ports/records.ts';
import type { FullWalk } from '../ports/store.ts';
import { readableCollections } from '../readable.ts';
import { asSyncError } from '../store-failure.ts';
import type { FullAnswer } from './answers.ts';
import { readCursor, type WalkPosition, writeCursor } from './cursor.ts';

/** Serves one page of a walk. Throws `cursor_invalid`, or 503 while the head is behind the walk. */
export async function serveFull(
  core: EngineCore,
  context: RequestContext,
  query: FullQuery,
): Promise<FullAnswer> {
  const started = core.system.clock.monotonic();
  const collections = readableCollections(core, context, {
    collections: query.collections,
    action: 'full',
  });
  const binding = { scope_id: context.scope_id, collections, epoch: core.meta.epoch };
  const { clock, crypto } = core.system;
  const tools = { crypto, key: core.meta.cursor_key, now_ms: clock.now() };
  const from = query.cursor === undefined ? null : readCursor(query.cursor, binding, tools);
  const walk = core.store.openWalk(context.scope_id);
  try {
    const head = await headNotBefore(core, walk, from?.low ?? ZERO_HLC);
    const start = from ?? firstPosition(head, tools.now_ms);
    const page = await readPage(walk, { collections, start, limit: query.limit });
    const cursor = page.next && writeCursor(page.next, binding, tools);
    core.telemetry.emit({
      event: 'full.page',
      scope_id: context.scope_id,
      request_id: context.request_id,
      first: from === null,
      documents: page.count,
      ms: clock.monotonic() - started,
    });
    return {
      last_seq: start.low,
      head: head?.head_version || ZERO_HLC,
      head_bundle_seq: head?.head_bundle_seq ?? 0,
      cursor,
      chunks: query.trailer ? [...page.texts, trailer(page.count, cursor, start.low)] : page.texts,
      count: page.count,
    };
  } catch (error) {
    throw asSyncError(error);
  } finally {
    await walk.close();
  }
}

/** The low-water head is fixed before the first page, so that later changes come again by pull [FU-1]. */
function firstPosition(head: ScopeHead | null, now_ms: number): WalkPosition {
  return {
    low: head?.head_version || ZERO_HLC,
    collection: 0,
    part: 'documents',
    after: null,
    expires_ms: now_ms + CURSOR_LIFETIME_MS,
  };
}

/**
 * The head in the page's own session, at least `low`: an election may for a moment show an older
 * majority point, and documents read there would be older than the `since` of the walk [FU-2].
 */
async function headNotBefore(
  core: EngineCore,
  walk: FullWalk,
  low: Hlc,
): Promise<ScopeHead | null> {
  for (let waits = 0; ; waits += 1) {
    const head = await walk.head();
    if (compareHlc(head?.head_version ?? '', low) >= 0) return head;
    if (waits >= FULL_HEAD_WAITS_MAX) {
      throw new SyncError('service_unavailable', { details: { reason: 'head_behind_walk' } });
    }
    await core.system.clock.sleep(FULL_HEAD_WAIT_MS);
  }
}

interface PagePlan {
  readonly collections: readonly string[];
  readonly start: WalkPosition;
  readonly limit: number;
}

interface Page {
  readonly texts: readonly string[];
  readonly count: number;
  readonly next: WalkPosition | null;
}

/** Text after which no further part is begun, characters: small collections do not pile up. */
const PAGE_TEXT_ENOUGH = 8_388_608;

/** Reads parts until the page is full or the walk is over; a batch may be short, `more` decides. */
async function readPage(walk: FullWalk, plan: PagePlan): Promise<Page> {
  const texts: string[] = [];
  let count = 0;
  let length = 0;
  let at: WalkPosition | null = plan.start;
  while (at !== null) {
    const collection = plan.collections[at.collection];
    if (collection === undefined) return { texts, count, next: null };
    if (count >= plan.limit || length >= PAGE_TEXT_ENOUGH) return { texts, count, next: at };
    const range = { collection, after: at.after, limit: plan.limit - count };
    const batch = await (at.part === 'documents' ? walk.documents(range) : walk.tombstones(range));
    if (batch.count > 0) texts.push(batch.text);
    count += batch.count;
    length += batch.text.length;
    invariant(!batch.more || batch.last_id !== null, 'a batch with more behind it has a last id');
    if (batch.more) return { texts, count, next: { ...at, after: batch.last_id } };
    at = nextPart(at, plan.collections.length);
  }
  return { texts, count, next: null };
}

function nextPart(at: WalkPosition, collections: number): WalkPosition | null {
  if (at.part === 'documents') return { ...at, part: 'tombstones', after: null };
  const collection = at.collection + 1;
  return collection < collections ? { ...at, collection, part: 'documents', after: null } : null;
}

function trailer(count: number, cursor: string | null, last_seq: Hlc): string {
  return `${JSON.stringify({ type: 'end', count, cursor, last_seq })}\n`;
}
