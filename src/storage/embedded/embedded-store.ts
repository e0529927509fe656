/**
 * `SyncStore` over one SQLite file. The main thread decides and encodes; a writer thread holds the
 * only connection that writes; a reader thread reads many rows; a read-only connection on the main
 * thread answers what costs microseconds.
 */

import { StoreError } from '../../core/ports/store.ts';
import type { ChangeFeed } from '../../core/ports/feed.ts';
import type { StoreMeta } from '../../core/ports/history.ts';
import type {
  CommitGroup,
  Committed,
  DocumentKey,
  ExpiryBounds,
  FullWalk,
  LayoutCheck,
  OplogRead,
  ReceiptKey,
  RowPosition,
  RowRange,
  SetupStep,
  StoreCapabilities,
  SyncStore,
  WantedLayout,
} from '../../core/ports/store.ts';
import type { Receipt, ScopeHead, StoredDocument } from '../../core/ports/records.ts';
import type { Clock } from '../../core/ports/system.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import { SCHEMA_LEVEL } from '../../protocol/version.ts';
import { type Connection, openConnection } from './connection.ts';
import { databaseFile, lockFolder, makeFolder, requireDatabase } from './data-folder.ts';
import {
  decodeDocument,
  decodeHead,
  decodePosition,
  decodeRange,
  decodeReceipt,
} from './decode-rows.ts';
import { encodeReceiptKeys } from './encode-plan.ts';
import { GroupWriter } from './group-writer.ts';
import type { ReaderTasks, WriterTasks } from './messages.ts';
import {
  findFirstRow,
  findHead,
  findHeadAndRow,
  findHeads,
  findReceiptRows,
  readRange,
} from './reads.ts';
import { checkSteps, planSteps, readStoreMeta } from './setup.ts';
import { type SqliteDatabase, sqliteDriver } from './sqlite-driver.ts';
import { asStoreError } from './sqlite-failure.ts';
import { WorkerLink } from './worker-link.ts';

/**
 * `write` takes the folder for this process; `read` opens it beside a server, never writes, and
 * needs a database that is there. `onFatal` hears of a failure after which nothing is written any
 * more: the process should end, so that the next one starts from what is on disk.
 */
export interface EmbeddedStoreOptions {
  readonly data_dir: string;
  readonly mode: 'write' | 'read';
  readonly clock: Clock;
  readonly onFatal?: (error: Error) => void;
}

/**
 * Opens the store of a folder. Throws `StoreError`: `locked` when another process writes there or
 * the database has a newer schema, `unavailable` when the folder or SQLite cannot be used.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<SyncStore> {
  const parts = await openParts(options);
  try {
    refuseNewerSchema(parts.probe);
  } catch (error) {
    await closeParts(parts);
    throw error;
  }
  return new EmbeddedStore(parts);
}

interface StoreParts {
  readonly clock: Clock;
  readonly lock: SqliteDatabase | undefined;
  readonly writer: WorkerLink<WriterTasks> | undefined;
  readonly groups: GroupWriter | undefined;
  readonly reader: WorkerLink<ReaderTasks>;
  readonly probe: Connection;
}

type Opened = { -readonly [Part in keyof StoreParts]?: StoreParts[Part] };

async function openParts(options: EmbeddedStoreOptions): Promise<StoreParts> {
  const { data_dir, clock, mode } = options;
  const driver = await sqliteDriver();
  const opened: Opened = {};
  try {
    if (mode === 'write') {
      makeFolder(data_dir);
      opened.lock = lockFolder(driver, data_dir);
      opened.writer = await startWriter(options, (error) => opened.groups?.stop(error));
      opened.groups = new GroupWriter(opened.writer, options);
    } else {
      requireDatabase(data_dir);
    }
    const probe = openConnection(driver, databaseFile(data_dir), 'probe');
    opened.probe = probe;
    const reader = await startReader(options);
    const { lock, writer, groups } = opened;
    return { clock, lock, writer, groups, reader, probe };
  } catch (error) {
    await closeParts(opened);
    throw asStoreError(error);
  }
}

function startWriter({ data_dir }: EmbeddedStoreOptions, onGone: (error: Error) => void) {
  return WorkerLink.start<WriterTasks>({ entry: 'writer-worker.js', data_dir, onGone });
}

function startReader({ data_dir, onFatal }: EmbeddedStoreOptions) {
  return WorkerLink.start<ReaderTasks>({
    entry: 'reader-worker.js',
    data_dir,
    onGone: (error) => onFatal?.(error),
  });
}

/** Readers first, so that the writer's last checkpoint empties the log; the lock last of all. */
async function closeParts(parts: Opened): Promise<void> {
  try {
    await parts.reader?.close();
    parts.probe?.close();
    await parts.writer?.close();
  } finally {
    parts.lock?.close();
  }
}

function refuseNewerSchema(probe: Connection): void {
  const level = readStoreMeta(probe)?.schema_level ?? 0;
  if (level > SCHEMA_LEVEL) {
    throw new StoreError(
      'locked',
      'The database was written by a newer version of this server. Use that version.',
    );
  }
}

/** New rows up to which a pull is answered on the main thread, without a message to the reader. */
const SMALL_RANGE_ROWS = 16;

class EmbeddedStore implements SyncStore {
  readonly capabilities: StoreCapabilities = {
    name: 'embedded',
    transactions: 'serial',
    retention: 'own',
  };
  readonly foreign = null;
  readonly feed: ChangeFeed | null;
  readonly #parts: StoreParts;
  readonly #running = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    // Who only looks on hears of no commit.
    this.feed = parts.groups?.feed ?? null;
  }

  commitGroup<T>(scope_id: string, group: CommitGroup<T>): Promise<Committed<T>> {
    return this.#track(async () => this.#groups().commit(scope_id, group));
  }

  readScope(
    scope_id: string,
    since: Hlc | null,
  ): Promise<{ head: ScopeHead | null; at: RowPosition | null }> {
    return this.#probe((probe) => {
      const { head, at } =
        since === null
          ? { head: findHead(probe, scope_id), at: undefined }
          : findHeadAndRow(probe, scope_id, since);
      return {
        head: head === undefined ? null : decodeHead(scope_id, head),
        at: at === undefined ? null : decodePosition(at),
      };
    });
  }

  async confirmHead(scope_id: string): Promise<ScopeHead | null> {
    return (await this.readScope(scope_id, null)).head;
  }

  readHeads(scope_ids: readonly string[]): Promise<readonly ScopeHead[]> {
    return this.#probe((probe) =>
      findHeads(probe, scope_ids).map(([scope_id, ...head]) => decodeHead(scope_id, head)),
    );
  }

  listScopes(after: string | null, limit: number): Promise<readonly string[]> {
    return this.#probe((probe) =>
      probe.all<[string]>(LIST_SCOPES, [after ?? '', limit]).map(([scope_id]) => scope_id),
    );
  }

  readRows(range: RowRange): Promise<readonly OplogRead[]> {
    return this.#track(async () => {
      const { scope_id, after_seq, max_rows, enough_rows = max_rows, max_bytes } = range;
      const { probe, reader } = this.#parts;
      const newest = probe.first<[number]>(NEWEST_SEQ, [scope_id])?.[0] ?? 0;
      const wanted = { scope_id, after_seq, max_rows, enough_rows, max_bytes };
      const small = Math.min(newest - after_seq, enough_rows) <= SMALL_RANGE_ROWS;
      const found = small ? readRange(probe, wanted) : await reader.call('rows', wanted);
      return decodeRange(found, max_bytes);
    });
  }

  firstRow(scope_id: string): Promise<RowPosition | null> {
    return this.#probe((probe) => {
      const row = findFirstRow(probe, scope_id);
      return row === undefined ? null : decodePosition(row);
    });
  }

  findReceipts(keys: readonly ReceiptKey[]): Promise<readonly Receipt[]> {
    return this.#probe((probe) =>
      findReceiptRows(probe, encodeReceiptKeys(keys)).map(decodeReceipt),
    );
  }

  readDocuments(
    scope_id: string,
    keys: readonly DocumentKey[],
  ): Promise<readonly StoredDocument[]> {
    return this.#track(async () => {
      const pairs = keys.map(({ collection, doc_id }) => [collection, doc_id] as const);
      const rows = await this.#parts.reader.call('documents', { scope_id, keys: pairs });
      return rows.map(decodeDocument);
    });
  }

  /** Every read shows the newest state, which is never older than a head read before it [FU-2]. */
  openWalk(scope_id: string): FullWalk {
    const page = (part: 'documents' | 'tombstones') => (range: LineRangeInput) =>
      this.#track(() => this.#parts.reader.call('page', { ...range, part, scope_id }));
    return {
      head: () => this.confirmHead(scope_id),
      documents: page('documents'),
      tombstones: page('tombstones'),
      close: async () => {},
    };
  }

  planSetup(wanted: WantedLayout): Promise<readonly SetupStep[]> {
    return this.#probe((probe) => planSteps(probe, wanted));
  }

  applySetup(wanted: WantedLayout): Promise<readonly SetupStep[]> {
    const now_ms = this.#parts.clock.now();
    return this.#track(() => this.#writer().call('setup', { ...wanted, now_ms }));
  }

  readMeta(): Promise<StoreMeta | null> {
    return this.#probe(readStoreMeta);
  }

  checkLayout(_wanted: WantedLayout): Promise<readonly LayoutCheck[]> {
    return this.#probe(checkSteps);
  }

  ping(): Promise<void> {
    return this.#probe((probe) => void probe.first('SELECT 1', []));
  }

  prune(scope_id: string, seq: number): Promise<number> {
    return this.#track(async () => {
      let pruned = 0;
      for (;;) {
        const rows = await this.#writer().call('prune', { scope_id, seq });
        if (rows === 0) return pruned;
        pruned += rows;
      }
    });
  }

  pruneExpired(bounds: ExpiryBounds): Promise<number> {
    return this.#track(async () => {
      for (;;) {
        const { rows, more } = await this.#writer().call('expire', { ...bounds });
        if (rows > 0 || !more) return rows;
      }
    });
  }

  /** From the first and last rowid: exact but for gaps that pruning of single scopes leaves. */
  countOplog(): Promise<number> {
    return this.#probe((probe) => probe.first<[number]>(COUNT_OPLOG, [])?.[0] ?? 0);
  }

  /** Always 0: every document came by push, so each has a version. */
  async countUnmigrated(_collection: string): Promise<number> {
    return 0;
  }

  recordClient(client: { scope_id: string; client_id: string; actor_id: string }): Promise<void> {
    const { scope_id, client_id, actor_id } = client;
    const now = this.#parts.clock.now();
    return this.#track(async () => {
      await this.#writer().call('client', [scope_id, client_id, actor_id, now, now]);
    });
  }

  /** The lock of the folder tells others. */
  async announce(): Promise<void> {}

  /** Always 0: whoever writes has the folder for itself. */
  async liveProcesses(): Promise<number> {
    return 0;
  }

  renewEpoch(epoch: string, collections: readonly string[]): Promise<void> {
    return this.#track(async () => {
      await this.#writer().call('epoch', { epoch, collections });
    });
  }

  resetsWritten(run: string): Promise<void> {
    return this.#track(async () => {
      await this.#writer().call('resets', run);
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  async #finish(): Promise<void> {
    await Promise.allSettled(this.#running);
    this.#parts.groups?.feed.end('The store is closed.');
    await closeParts(this.#parts);
  }

  #writer(): WorkerLink<WriterTasks> {
    const { writer, groups } = this.#parts;
    groups?.assertWriting();
    if (writer === undefined) throw readOnlyError();
    return writer;
  }

  #groups(): GroupWriter {
    if (this.#parts.groups === undefined) throw readOnlyError();
    return this.#parts.groups;
  }

  #probe<T>(read: (probe: Connection) => T): Promise<T> {
    return this.#track(async () => read(this.#parts.probe));
  }

  /** Every failure of SQLite leaves through here as a `StoreError`; `close` waits for the rest. */
  async #track<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw new StoreError('unavailable', 'The store is closed.');
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } catch (error) {
      throw asStoreError(error);
    } finally {
      this.#running.delete(running);
    }
  }
}

type LineRangeInput = Parameters<FullWalk['documents']>[0];

const LIST_SCOPES = `SELECT scope_id FROM sync_scopes WHERE scope_id > ? ORDER BY scope_id LIMIT ?`;
const NEWEST_SEQ = `SELECT seq FROM sync_oplog WHERE scope_id = ? ORDER BY seq DESC LIMIT 1`;
const COUNT_OPLOG = `SELECT ifnull(max(pos) - min(pos) + 1, 0) FROM sync_oplog`;

function readOnlyError(): StoreError {
  return new StoreError('unavailable', 'The store was opened for reading only.');
}
