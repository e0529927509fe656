/**
 * The statements of one push, one pull and one dump, issued raw on the product's own tables: what
 * the database alone costs. One transaction per push, no decision, no receipt lookup before the
 * lock, no thread, no queue.
 */

import { LAYOUT } from '../../src/storage/embedded/tables.ts';
import { formatHlc } from '../../src/protocol/pure/hlc.ts';
import { openDatabase } from './raw-sqlite.mjs';

/** A database with the product's tables. */
export class RawStore {
  #db;
  #sql;

  constructor(file) {
    this.#db = openDatabase(file);
    for (const { sql } of LAYOUT) this.#db.exec(sql);
    this.#db.exec('PRAGMA wal_autocheckpoint=4000');
    const prepare = (text) => this.#db.prepare(text);
    this.#sql = {
      begin: prepare('BEGIN IMMEDIATE'),
      commit: prepare('COMMIT'),
      lock: prepare(`INSERT INTO sync_scopes VALUES (?, '', 0, 0, 0, 0, '', 1)
        ON CONFLICT (scope_id) DO UPDATE SET lock = lock + 1
        RETURNING head_version, head_seq, head_bundle_seq`),
      receipt: prepare(`SELECT result FROM sync_receipts
        WHERE actor_id = ? AND client_id = ? AND mutation_id = ?`),
      document: prepare('SELECT line FROM sync_documents WHERE collection = ? AND doc_id = ?'),
      tombstone: prepare(`SELECT line FROM sync_tombstones
        WHERE scope_id = ? AND collection = ? AND doc_id = ?`),
      putDocument: prepare(`INSERT INTO sync_documents
        (collection, doc_id, scope_id, version, change_version, hash, actor_id, client_id, line)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`),
      putRow: prepare(`INSERT INTO sync_oplog
        (version, scope_id, seq, prev, bundle_seq, ordinal, bundle_rows, collection, doc_id,
        operation, origin, change_version, timestamp_ms, line)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
      putReceipt: prepare(`INSERT INTO sync_receipts
        (actor_id, client_id, mutation_id, scope_id, hash, collection, doc_id, result, at_ms)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`),
      head: prepare(`UPDATE sync_scopes SET head_version = ?, head_seq = ?, head_bundle_seq = ?
        WHERE scope_id = ?`),
      rows: prepare(`SELECT version, seq, bundle_seq, collection, doc_id, operation, line
        FROM sync_oplog WHERE scope_id = ? AND seq > 0 ORDER BY seq LIMIT ?`),
      dump: prepare(`SELECT line FROM sync_documents
        WHERE scope_id = ? AND collection = ? ORDER BY doc_id`),
    };
  }

  /** One transaction with the statements of a push. */
  push(scope, tasks) {
    const sql = this.#sql;
    sql.begin.run();
    const head = sql.lock.get(scope);
    for (const { id } of tasks) {
      sql.receipt.get('bench', 'bench', id);
      sql.document.get('tasks', id);
      sql.tombstone.get(scope, 'tasks', id);
    }
    const now = Date.now();
    let { head_version: prev, head_seq: seq } = head;
    const bundle = head.head_bundle_seq + 1;
    tasks.forEach(({ id, data }, ordinal) => {
      seq += 1;
      const version = formatHlc({ p: now, c: seq % 65_536, node: 'rawbench' });
      const own = `${version}-${scope}-${seq}`;
      const line = JSON.stringify({ collection: 'tasks', doc_id: id, data, version });
      sql.putDocument.run('tasks', id, scope, own, own, id, 'bench', 'bench', `${line}\n`);
      sql.putRow.run(
        own,
        scope,
        seq,
        prev,
        bundle,
        ordinal,
        tasks.length,
        'tasks',
        id,
        'upsert',
        'push',
        own,
        now,
        line,
      );
      sql.putReceipt.run(
        'bench',
        'bench',
        id,
        scope,
        id,
        'tasks',
        id,
        '{"status":"accepted"}',
        now,
      );
      prev = own;
    });
    sql.head.run(prev, seq, bundle, scope);
    sql.commit.run();
  }

  /** Rows of a scope as a JSON response: find, parse, stringify. */
  pull(scope, limit) {
    const rows = this.#sql.rows.all(scope, limit);
    return JSON.stringify({
      changes: rows.map(({ line, ...row }) => ({ ...row, data: JSON.parse(line).data })),
    });
  }

  /** All documents of a scope as NDJSON, in blocks as a response would take them. */
  dump(scope) {
    let block = '';
    let bytes = 0;
    for (const { line } of this.#sql.dump.iterate(scope, 'tasks')) {
      block += line;
      if (block.length >= 65_536) {
        bytes += Buffer.byteLength(block);
        block = '';
      }
    }
    return bytes + Buffer.byteLength(block);
  }

  close() {
    this.#db.close();
  }
}
