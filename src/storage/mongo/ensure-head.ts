/** Makes the head of a scope that has none, outside any transaction. */

import { type Db, Long } from 'mongodb';
import type { ScopeHead } from '../../core/ports/records.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import { parseHlc } from '../../protocol/pure/hlc.ts';
import { engineCollection, type StoredHead } from './collections.ts';
import { againOnDuplicate } from './driver-errors.ts';

/**
 * Idempotent upsert. Not inside the transaction, where two first pushes would meet in a duplicate
 * key that the server does not call transient. A head that was lost continues from the newest row.
 */
export async function ensureHead(db: Db, scope_id: string): Promise<void> {
  const [newest] = await engineCollection(db, 'sync_oplog')
    .find({ scope_id }, { sort: { seq: -1 }, limit: 1, projection: { seq: 1, bundle_seq: 1 } })
    .toArray();
  const meta = await engineCollection(db, 'sync_meta').findOne({ _id: 'meta' });
  await insertHead(db, {
    scope_id,
    head_version: (newest?._id ?? '') as Hlc | '',
    head_seq: newest?.['seq'] ?? 0,
    head_bundle_seq: newest?.['bundle_seq'] ?? 0,
    chain_start: '',
    epoch: meta?.['epoch'] ?? null,
  });
}

/** A new head; a scope that has one keeps it. */
export function insertHead(
  db: Db,
  { scope_id, ...head }: Pick<ScopeHead, 'scope_id' | HeadField> & Pick<StoredHead, 'epoch'>,
): Promise<void> {
  const parts = parseHlc(head.head_version);
  return againOnDuplicate(() =>
    engineCollection<StoredHead>(db, 'sync_scopes').updateOne(
      { _id: scope_id },
      {
        $setOnInsert: {
          ...head,
          hlc_p: Long.fromNumber(parts?.p ?? 0) as unknown as number,
          hlc_c: parts?.c ?? 0,
          lock: 0,
        },
        $currentDate: { touched: true },
      },
      { upsert: true },
    ),
  );
}

type HeadField = 'head_version' | 'head_seq' | 'head_bundle_seq' | 'chain_start';
