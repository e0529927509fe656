/**
 * The log of an earlier server of the same protocol: its rows have no place in a chain, so they cannot
 * be served. They are set aside whole, and each of their scopes gets a head at its newest version: a
 * client that is there goes on, every other one resyncs once [EP-5].
 */

import { type Db, type Document, ObjectId } from 'mongodb';
import { type Hlc, parseHlc } from '../../protocol/pure/hlc.ts';
import { insertHead } from './ensure-head.ts';
import type { PlannedStep } from './meta.ts';
import { noteEarlierLog, readSetupRecord } from './setup-record.ts';

/** Where the rows wait for a removal that puts them back. */
export const LOG_SET_ASIDE = 'sync_oplog_before';

const LOG = 'sync_oplog';

/** What has to be done about such a log, or undefined. `moves` = the log of the engine is made anew. */
export async function planEarlierLog(
  db: Db,
  found: ReadonlySet<string>,
): Promise<{ readonly planned: PlannedStep; readonly moves: boolean } | undefined> {
  const step = (action: 'change' | 'blocked', detail: string, apply: () => Promise<void>) => ({
    step: { action, kind: 'collection' as const, name: LOG, detail },
    apply,
  });
  if (found.has(LOG) && (await isEarlierLog(db))) {
    if (found.has(LOG_SET_ASIDE)) {
      const detail = `it is of an earlier server, and ${LOG_SET_ASIDE} is there already; rename one`;
      return { planned: step('blocked', detail, async () => {}), moves: false };
    }
    const rows = await db.collection(LOG).estimatedDocumentCount();
    const detail = `${rows} rows of an earlier server are set aside as ${LOG_SET_ASIDE}`;
    return { planned: step('change', detail, () => setAside(db)), moves: true };
  }
  const record = await readSetupRecord(db);
  if (record?.earlier_log !== true || record.earlier_heads || !found.has(LOG_SET_ASIDE)) {
    return undefined;
  }
  const detail = `heads for the scopes of ${LOG_SET_ASIDE}`;
  return { planned: step('change', detail, () => makeHeads(db)), moves: false };
}

/** Ours has its unique index; theirs has rows without a place. */
async function isEarlierLog(db: Db): Promise<boolean> {
  const indexes: Document[] = await db.collection(LOG).listIndexes().toArray();
  if (indexes.some(({ key, unique }) => unique === true && key['seq'] !== undefined)) return false;
  return (await db.collection(LOG).findOne({ seq: { $exists: false } })) !== null;
}

/** Noted first, so that a removal never drops what it cannot tell from our own. */
async function setAside(db: Db): Promise<void> {
  await noteEarlierLog(db, { earlier_log: true });
  await db.collection(LOG).rename(LOG_SET_ASIDE);
  await makeHeads(db);
}

async function makeHeads(db: Db): Promise<void> {
  for (const [scope_id, version] of await newestByScope(db)) {
    const none = { head_seq: 0, head_bundle_seq: 0, epoch: null };
    await insertHead(db, { scope_id, head_version: version, chain_start: version, ...none });
  }
  await noteEarlierLog(db, { earlier_heads: true });
}

/** The newest version of each scope; the owner of a row stands under one of three names. */
async function newestByScope(db: Db): Promise<ReadonlyMap<string, Hlc>> {
  const owner = { $ifNull: ['$scope_id', { $ifNull: ['$user_id', '$actor_id'] }] };
  const groups = db
    .collection(LOG_SET_ASIDE)
    .aggregate([
      { $match: { _id: { $type: 'string' } } },
      { $group: { _id: owner, newest: { $max: '$_id' } } },
    ]);
  const newest = new Map<string, Hlc>();
  for await (const { _id, newest: version } of groups) {
    const scope_id = ownerText(_id);
    if (scope_id === null || parseHlc(version) === undefined) continue;
    const known = newest.get(scope_id);
    if (known === undefined || known < version) newest.set(scope_id, version);
  }
  return newest;
}

function ownerText(owner: unknown): string | null {
  if (owner instanceof ObjectId) return owner.toHexString();
  if (typeof owner === 'number') return String(owner);
  return typeof owner === 'string' && owner !== '' ? owner : null;
}

/** Puts the rows back in the place of ours, in one step. False when there is nothing to put back. */
export async function putBackEarlierLog(db: Db): Promise<boolean> {
  const [there] = await db.listCollections({ name: LOG_SET_ASIDE }, { nameOnly: true }).toArray();
  if (there === undefined) return false;
  await db.collection(LOG_SET_ASIDE).rename(LOG, { dropTarget: true });
  return true;
}
