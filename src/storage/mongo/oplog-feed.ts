/**
 * The change feed: one change stream on `sync_oplog` that hears of every process's commits. The
 * driver's own change stream is not used: it keeps a place and goes on from it in silence, and it
 * knows no stored types. Here every break is the end of the stream; the rows that it missed are read
 * from the store by whoever listens.
 */

import type { ClientSession, Document, Long } from 'mongodb';
import type { ChangeFeed, FeedListener, OpenFeed } from '../../core/ports/feed.ts';
import { type OplogRead, StoreError } from '../../core/ports/store.ts';
import type { Clock } from '../../core/ports/system.ts';
import type { JsonObject } from '../../protocol/pure/canonical-json.ts';
import { decodeRecord } from './bson-reader.ts';
import { toFeedError } from './driver-errors.ts';
import { rowFrom } from './mongo-reads.ts';
import type { Connection } from './topology.ts';

/** How long the database may wait for a row before it answers that there is none, ms. */
const AWAIT_MS = 1_000;
/** Most rows of one answer. */
const BATCH_MAX = 500;
/** An answer that is later than this will not come: the connection is dead without saying so, ms. */
const ANSWER_LIMIT_MS = 10_000;

const LOG = 'sync_oplog';
/** Without `_id`, the place of an event, a database ends the stream. */
const PIPELINE: readonly Document[] = [
  { $changeStream: {} },
  { $match: { operationType: 'insert' } },
  { $project: { operationType: 1, fullDocument: 1 } },
];

/** What the feed needs of the store. */
interface FeedContext {
  readonly connection: Pick<Connection, 'client' | 'db'>;
  readonly clock: Clock;
}

/** The change streams of a store. */
export class OplogFeed implements ChangeFeed {
  readonly #context: FeedContext;
  readonly #streams = new Set<OplogStream>();
  #closed = false;

  constructor(context: FeedContext) {
    this.#context = context;
  }

  async open(listener: FeedListener): Promise<OpenFeed> {
    if (this.#closed) throw closedError();
    const stream = new OplogStream(this.#context, listener, () => this.#streams.delete(stream));
    this.#streams.add(stream);
    try {
      await stream.open();
    } catch (error) {
      await stream.close();
      throw error;
    }
    return stream;
  }

  /** Ends every stream: the store closes. */
  close(): void {
    this.#closed = true;
    for (const stream of [...this.#streams]) stream.end(closedError());
  }
}

class OplogStream implements OpenFeed {
  readonly #context: FeedContext;
  readonly #listener: FeedListener;
  readonly #onOver: () => void;
  readonly #session: ClientSession;
  /** The command that waits for its answer. */
  #asking: AbortController | undefined;
  #cursor_id: Long | undefined;
  #over = false;

  constructor(context: FeedContext, listener: FeedListener, onOver: () => void) {
    this.#context = context;
    this.#listener = listener;
    this.#onOver = onOver;
    // A cursor belongs to the session that opened it.
    this.#session = context.connection.client.startSession({ causalConsistency: false });
  }

  /** The answer to the first command fixes the place: what is committed from now on is told. */
  async open(): Promise<void> {
    const rows = await this.#ask({
      aggregate: LOG,
      pipeline: PIPELINE,
      cursor: { batchSize: BATCH_MAX },
      readConcern: { level: 'majority' },
    });
    if (this.#over) throw closedError();
    void this.#follow(rows);
  }

  /** Waits for nothing: the database may be out of reach. A cursor that it keeps expires there. */
  async close(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#asking?.abort();
    this.#onOver();
    void this.#killCursor().catch(() => undefined);
  }

  /** Says once that rows may be missed from here on. */
  end(cause: unknown): void {
    if (this.#over) return;
    void this.close();
    try {
      this.#listener.ended(cause);
    } catch {
      // A listener that fails has nobody left to tell.
    }
  }

  async #follow(first: readonly Uint8Array[]): Promise<void> {
    try {
      for (let events = first; !this.#over; ) {
        this.#tell(events);
        if (this.#cursor_id === undefined) {
          throw new StoreError('history_lost', 'the change stream ended');
        }
        events = await this.#ask({
          getMore: this.#cursor_id,
          collection: LOG,
          batchSize: BATCH_MAX,
          maxTimeMS: AWAIT_MS,
        });
      }
    } catch (error) {
      this.end(error);
    }
  }

  /** Rows that came together, each scope's in one call and in their order. */
  #tell(events: readonly Uint8Array[]): void {
    const scopes = new Map<string, OplogRead[]>();
    for (const event of events) {
      const stored = decodeRecord(event)['fullDocument'] as JsonObject;
      const scope_id = stored['scope_id'] as string;
      const rows = scopes.get(scope_id);
      if (rows === undefined) scopes.set(scope_id, [rowFrom(stored)]);
      else rows.push(rowFrom(stored));
    }
    for (const [scope_id, rows] of scopes) {
      if (this.#over) return;
      this.#listener.rows(scope_id, rows);
    }
  }

  /** Events as they are stored: a driver that decodes forgets types which the wire keeps. */
  async #ask(command: Document): Promise<readonly Uint8Array[]> {
    const { connection, clock } = this.#context;
    const asking = new AbortController();
    this.#asking = asking;
    const asked = connection.db.command(command, {
      session: this.#session,
      promoteLongs: false,
      fieldsAsRaw: { firstBatch: true, nextBatch: true },
      signal: asking.signal,
    });
    asked.catch(() => undefined);
    try {
      const late = clock.sleep(ANSWER_LIMIT_MS, asking.signal).then(() => null);
      const answer = await Promise.race([asked, late]);
      if (answer === null) throw new StoreError('unavailable', 'the change stream is silent');
      const { id, firstBatch, nextBatch } = answer['cursor'];
      this.#cursor_id = (id as Long).isZero() ? undefined : id;
      return firstBatch ?? nextBatch;
    } catch (error) {
      throw toFeedError(error);
    } finally {
      // Ends the clock's wait, and a command whose answer is late.
      asking.abort();
    }
  }

  async #killCursor(): Promise<void> {
    const session = this.#session;
    const { db } = this.#context.connection;
    try {
      if (this.#cursor_id === undefined) return;
      await db.command({ killCursors: LOG, cursors: [this.#cursor_id] }, { session });
    } finally {
      await session.endSession();
    }
  }
}

function closedError(): StoreError {
  return new StoreError('unavailable', 'the feed was closed');
}
