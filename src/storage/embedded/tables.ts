/**
 * The tables of the embedded store. Wire text is stored ready-made: a row of the log as an open
 * pull line, a document and a tombstone as a full line with its line feed. The log has no index
 * beyond its two unique ones, because each costs as much as the rows themselves; its rowid `pos`
 * never leaves this folder. Ids are compared as text, so integer ids page in text order too.
 */

/** One table or index with the statement that makes it. */
export interface LayoutItem {
  readonly kind: 'collection' | 'index';
  readonly name: string;
  readonly sql: string;
  readonly detail: string;
}

/** Everything that setup makes, in order. */
export const LAYOUT: readonly LayoutItem[] = [
  table(
    'sync_meta',
    'schema level, epoch, cursor key, catalogue hash',
    'key TEXT PRIMARY KEY, value TEXT NOT NULL',
  ),
  table(
    'sync_scopes',
    'one head per scope',
    `scope_id TEXT PRIMARY KEY, head_version TEXT NOT NULL, head_seq INTEGER NOT NULL,
    head_bundle_seq INTEGER NOT NULL, hlc_p INTEGER NOT NULL, hlc_c INTEGER NOT NULL,
    chain_start TEXT NOT NULL, lock INTEGER NOT NULL`,
  ),
  table(
    'sync_documents',
    'current documents of all collections',
    `pk INTEGER PRIMARY KEY, collection TEXT NOT NULL, doc_id TEXT NOT NULL,
    scope_id TEXT NOT NULL, version TEXT NOT NULL, change_version TEXT, hash TEXT,
    actor_id TEXT, client_id TEXT, line TEXT NOT NULL, UNIQUE (collection, doc_id)`,
  ),
  index('sync_documents_by_scope', 'sync_documents (scope_id, collection, doc_id)'),
  table(
    'sync_oplog',
    'rows of every scope in commit order',
    `pos INTEGER PRIMARY KEY, version TEXT NOT NULL UNIQUE, scope_id TEXT NOT NULL,
    seq INTEGER NOT NULL, prev TEXT NOT NULL, bundle_seq INTEGER NOT NULL,
    ordinal INTEGER NOT NULL, bundle_rows INTEGER NOT NULL, collection TEXT NOT NULL,
    doc_id TEXT, operation TEXT NOT NULL, origin TEXT NOT NULL, change_version TEXT,
    timestamp_ms INTEGER NOT NULL, line TEXT NOT NULL, UNIQUE (scope_id, seq)`,
  ),
  table(
    'sync_receipts',
    'stored answers of mutations',
    `actor_id TEXT NOT NULL, client_id TEXT NOT NULL, mutation_id TEXT NOT NULL,
    scope_id TEXT NOT NULL, hash TEXT NOT NULL, collection TEXT NOT NULL, doc_id TEXT NOT NULL,
    result TEXT NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (actor_id, client_id, mutation_id, scope_id)`,
  ),
  index('sync_receipts_by_age', 'sync_receipts (at_ms)'),
  table(
    'sync_conflicts',
    'both sides of detected conflicts',
    `conflict_id TEXT PRIMARY KEY, scope_id TEXT NOT NULL, collection TEXT NOT NULL,
    doc_id TEXT NOT NULL, entry TEXT NOT NULL, at_ms INTEGER NOT NULL`,
  ),
  index('sync_conflicts_by_age', 'sync_conflicts (at_ms)'),
  table(
    'sync_tombstones',
    'deleted documents',
    `scope_id TEXT NOT NULL, collection TEXT NOT NULL, doc_id TEXT NOT NULL,
    version TEXT NOT NULL, change_version TEXT NOT NULL, client_id TEXT, at_ms INTEGER NOT NULL,
    line TEXT NOT NULL, PRIMARY KEY (scope_id, collection, doc_id)`,
  ),
  index('sync_tombstones_by_age', 'sync_tombstones (at_ms)'),
  table(
    'sync_migrations',
    'progress of adopted collections',
    'collection TEXT PRIMARY KEY, state TEXT NOT NULL',
  ),
  table(
    'sync_clients',
    'clients that pushed',
    `scope_id TEXT NOT NULL, client_id TEXT NOT NULL, actor_id TEXT NOT NULL,
    first_seen_ms INTEGER NOT NULL, last_push_at_ms INTEGER NOT NULL,
    PRIMARY KEY (scope_id, client_id)`,
  ),
];

/** Tables without an integer key are stored in the order of their primary key. */
function table(name: string, detail: string, columns: string): LayoutItem {
  const suffix = columns.includes('INTEGER PRIMARY KEY') ? 'STRICT' : 'STRICT, WITHOUT ROWID';
  return { kind: 'collection', name, sql: `CREATE TABLE ${name} (${columns}) ${suffix}`, detail };
}

function index(name: string, on: string): LayoutItem {
  return { kind: 'index', name, sql: `CREATE INDEX ${name} ON ${on}`, detail: on };
}
