/** Takes over what other programs wrote: documents of one scope, group by group. */

import { GROUP_BYTES_MAX, PUSH_DEADLINE_MS } from '../../protocol/pure/limits.ts';
import { SyncError } from '../../protocol/errors.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import { commitDecision } from '../commit-decision.ts';
import type { EngineCore } from '../parts.ts';
import { type DocumentKey, StoreError } from '../ports/store.ts';
import { decideForeign, type ForeignOptions, type ForeignVerdict } from './decide-foreign.ts';

/** A document to look at. `bytes` is its stored size, 0 when it is gone. */
export interface ForeignDocument extends DocumentKey {
  readonly bytes: number;
  /** Version that stands in it where no trace says whose it is. */
  readonly untraced_version?: Hlc | null;
}

/** Most documents of one group: a scope's pushes wait for one such group at most. */
const DOCUMENTS_MAX = 200;

/**
 * Takes the documents over and says what became of each, in order. Throws what the store throws;
 * groups that were committed before stay, and a repeat finds their documents known.
 */
export async function adoptDocuments(
  core: EngineCore,
  scope_id: string,
  work: { readonly documents: readonly ForeignDocument[]; readonly options: ForeignOptions },
): Promise<readonly ForeignVerdict[]> {
  const verdicts: ForeignVerdict[] = [];
  const { options } = work;
  for (const documents of groupsOf(work.documents)) {
    try {
      verdicts.push(...(await adoptGroup(core, scope_id, { documents, options })));
    } catch (error) {
      if (isTrouble(error)) throw error;
      verdicts.push(...(await adoptEach(core, scope_id, { documents, options, error })));
    }
  }
  return verdicts;
}

/** What is no fault of a document and goes away by itself: the whole work is taken up again. */
function isTrouble(error: unknown): boolean {
  return error instanceof SyncError || (error instanceof StoreError && error.kind !== 'failed');
}

/** One by one, so that a document which cannot be taken over holds up no other [FW-7]. */
async function adoptEach(
  core: EngineCore,
  scope_id: string,
  work: {
    readonly documents: readonly ForeignDocument[];
    readonly options: ForeignOptions;
    readonly error: unknown;
  },
): Promise<readonly ForeignVerdict[]> {
  const verdicts: ForeignVerdict[] = [];
  const { documents, options } = work;
  for (const document of documents) {
    try {
      if (documents.length === 1) throw work.error;
      verdicts.push(...(await adoptGroup(core, scope_id, { documents: [document], options })));
    } catch (cause) {
      if (isTrouble(cause)) throw cause;
      verdicts.push('failed');
      report(core, scope_id, { keys: [document], verdicts: ['failed'], options, cause });
    }
  }
  return verdicts;
}

/**
 * One group. An application that writes to its documents all the time may keep a large one from ever
 * getting through: then its halves are tried [FW-13].
 */
async function adoptGroup(
  core: EngineCore,
  scope_id: string,
  work: { readonly documents: readonly ForeignDocument[]; readonly options: ForeignOptions },
): Promise<readonly ForeignVerdict[]> {
  const { documents, options } = work;
  try {
    return await commitGroup(core, scope_id, work);
  } catch (error) {
    const late = error instanceof StoreError && error.kind === 'deadline';
    if (!late || documents.length === 1) throw error;
    const middle = Math.ceil(documents.length / 2);
    const verdicts: ForeignVerdict[] = [];
    for (const half of [documents.slice(0, middle), documents.slice(middle)]) {
      verdicts.push(...(await adoptGroup(core, scope_id, { documents: half, options })));
    }
    return verdicts;
  }
}

async function commitGroup(
  core: EngineCore,
  scope_id: string,
  work: { readonly documents: readonly ForeignDocument[]; readonly options: ForeignOptions },
): Promise<readonly ForeignVerdict[]> {
  const { documents, options } = work;
  const keys = documents.map(({ collection, doc_id }) => ({ collection, doc_id }));
  const { outcome } = await commitDecision(core, scope_id, {
    load: {
      receipts: [options.mark, options.barrier].flatMap((key) => key ?? []),
      documents: documents.map(({ collection, doc_id, untraced_version = null }) => ({
        ...{ collection, doc_id, parent_version: untraced_version },
      })),
      traces: keys.filter(({ collection }) => core.catalogue.get(collection)?.capture === true),
    },
    deadline_at: core.system.clock.monotonic() + PUSH_DEADLINE_MS,
    decide: (input) =>
      decideForeign({
        ...input,
        ...{ scope_id, keys, options },
        catalogue: core.catalogue,
        digest: core.system.crypto.sha256,
      }),
  });
  report(core, scope_id, { keys, verdicts: outcome, options });
  return outcome;
}

function groupsOf(documents: readonly ForeignDocument[]): ForeignDocument[][] {
  const groups: ForeignDocument[][] = [];
  let group: ForeignDocument[] = [];
  let size = 0;
  for (const document of documents) {
    const { bytes } = document;
    if (group.length === DOCUMENTS_MAX || (group.length > 0 && size + bytes > GROUP_BYTES_MAX)) {
      groups.push(group);
      group = [];
      size = 0;
    }
    group.push(document);
    size += bytes;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

/** One event per collection and verdict, after the commit. */
function report(
  core: EngineCore,
  scope_id: string,
  done: {
    readonly keys: readonly DocumentKey[];
    readonly verdicts: readonly ForeignVerdict[];
    readonly options: ForeignOptions;
    readonly cause?: unknown;
  },
): void {
  const counts = new Map<string, number>();
  done.keys.forEach(({ collection }, index) => {
    const verdict = done.verdicts[index] as ForeignVerdict;
    if (verdict === 'known') return;
    const key = JSON.stringify([collection, verdict]);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  });
  for (const [key, documents] of counts) {
    const [collection, verdict] = JSON.parse(key) as [string, ForeignVerdict];
    const { origin } = done.options;
    const event = 'foreign.adopted';
    const facts = { event, scope_id, collection, verdict, origin, documents } as const;
    core.telemetry.emit('cause' in done ? { ...facts, cause: done.cause } : facts);
  }
}
