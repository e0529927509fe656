/**
 * The record of the one group that is being written, kept in `sync_redo` until all of it is there. It
 * makes a group all or nothing across crashes without a transaction [SA-3]; ADR 0021 has the table of
 * every moment at which a process may end.
 */

import { BSON, Binary, type Collection, type Document } from 'mongodb';
import { StoreError } from '../../../core/ports/store.ts';
import { type PlannedWrite, runWrites, type Writer } from '../plan-writes.ts';
import type { UndoItem } from './document-steps.ts';
import { undoDocuments } from './undo-documents.ts';

/** Name of the log's collection; it is there only after the first group without a transaction. */
export const REDO_LOG = 'sync_redo';

/**
 * `prepared`: documents may be written. `dropping`: documents may be gone as well. `committed`: every
 * document is written, and the records follow in any case.
 */
export type GroupState = 'prepared' | 'dropping' | 'committed';

/** What a log held, and what became of it. */
export type Recovered = 'none' | 'undone' | 'committed';

interface StoredGroup extends Document {
  readonly _id: string;
  readonly token: string;
  readonly state: GroupState;
}

const GROUP_ID = 'group';

/** The log of a database. One group at a time is in it. */
export class RedoLog {
  readonly #connection: Writer;
  readonly #log: Collection<StoredGroup>;

  constructor(connection: Writer) {
    this.#connection = connection;
    this.#log = connection.db.collection(REDO_LOG);
  }

  /** Stores how to take the documents back and which records follow; the group's own line comes last. */
  async prepare(
    group: { readonly token: string; readonly scope_id: string },
    undo: readonly UndoItem[],
    records: readonly PlannedWrite[],
  ): Promise<void> {
    const { token } = group;
    const items = [
      ...undo.map((item) => ({ undo: item })),
      ...records.map(({ target, operation }) => ({ redo: { target, operation } })),
    ];
    const stored: Document[] = items.map((item, n) => ({
      _id: `${token}/${n}`,
      token,
      n,
      body: new Binary(BSON.serialize(item)),
    }));
    const own = { ...group, _id: GROUP_ID, state: 'prepared' };
    await this.#log.insertMany([...stored, own] as unknown as StoredGroup[], { ordered: true });
  }

  /** Moves the group on. Throws `locked` when another process has dealt with it meanwhile. */
  async advance(token: string, state: Exclude<GroupState, 'prepared'>): Promise<void> {
    const { matchedCount } = await this.#log.updateOne(
      { _id: GROUP_ID, token, state: { $ne: 'committed' } },
      { $set: { state } },
    );
    if (matchedCount === 0) {
      throw new StoreError('locked', 'another process took over this database');
    }
  }

  /** Writes the records of a committed group. Repeating it changes nothing. */
  async apply(records: readonly PlannedWrite[]): Promise<void> {
    await runWrites(this.#connection, undefined, records);
  }

  /** Forgets the group, its own line first: lines without it mean nothing. */
  async finish(token: string): Promise<void> {
    await this.#log.deleteOne({ _id: GROUP_ID, token });
    await this.#log.deleteMany({ token });
  }

  /** Deals with what an earlier group left: a committed one is completed, any other taken back. */
  async recover(): Promise<Recovered> {
    const group = await this.#log.findOne({ _id: GROUP_ID });
    if (group === null) {
      await this.#log.deleteMany({});
      return 'none';
    }
    const { token, state } = group;
    const found = await this.#log
      .find<{ body: Binary }>({ token, n: { $exists: true } }, { sort: { n: 1 } })
      .toArray();
    const items = found.map(({ body }) => decodeItem(body.buffer));
    if (state === 'committed') await this.apply(items.flatMap(({ redo }) => redo ?? []));
    else {
      const undo = items.flatMap((item) => item.undo ?? []);
      await undoDocuments(this.#connection.db, undo, { dropping: state === 'dropping' });
    }
    await this.finish(token);
    return state === 'committed' ? 'committed' : 'undone';
  }
}

interface StoredItem {
  readonly undo?: UndoItem;
  readonly redo?: PlannedWrite;
}

/** Numbers keep their stored types; the engine's own bytes come back as bytes. */
function decodeItem(bytes: Uint8Array): StoredItem {
  const item = BSON.deserialize(bytes, { promoteValues: false, bsonRegExp: true });
  const { undo } = item;
  if (undo !== undefined && undo.content !== null) {
    return { undo: { ...undo, content: (undo.content as Binary).buffer } };
  }
  return item as StoredItem;
}
