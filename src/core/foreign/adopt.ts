/** Takes over what other programs wrote: documents of one scope, group by group. */

import { GROUP_BYTES_MAX, PUSH_DEADLINE_MS } from '../../protocol/pure/limits.ts';
import { commitDecision } from '../commit-decision.ts';
import type { EngineCore } from '../parts.ts';
import type { DocumentKey } from '../ports/store.ts';
import { decideForeign, type ForeignOptions, type ForeignVerdict } from './decide-foreign.ts';

/** A document to look at. `bytes` is its stored size, 0 when it is gone. */
export interface ForeignDocument extends DocumentKey {
  readonly bytes: number;
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
  for (const keys of groupsOf(work.documents)) {
    const { options } = work;
    const { outcome } = await commitDecision(core, scope_id, {
      load: {
        receipts: [options.mark, options.barrier].flatMap((key) => key ?? []),
        documents: keys.map((key) => ({ ...key, parent_version: null })),
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
    verdicts.push(...outcome);
    report(core, scope_id, { keys, verdicts: outcome, options });
  }
  return verdicts;
}

function groupsOf(documents: readonly ForeignDocument[]): DocumentKey[][] {
  const groups: DocumentKey[][] = [];
  let group: DocumentKey[] = [];
  let size = 0;
  for (const { collection, doc_id, bytes } of documents) {
    if (group.length === DOCUMENTS_MAX || (group.length > 0 && size + bytes > GROUP_BYTES_MAX)) {
      groups.push(group);
      group = [];
      size = 0;
    }
    group.push({ collection, doc_id });
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
    core.telemetry.emit({ event, scope_id, collection, verdict, origin, documents });
  }
}
