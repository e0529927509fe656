/** Short builders of versions and stored records for tests of decisions. */

import type { CollectionPolicy } from '../../../src/core/collections.ts';
import type {
  OplogRow,
  ScopeHead,
  StoredDocument,
  Tombstone,
} from '../../../src/core/ports/records.ts';
import type { OplogRead } from '../../../src/core/ports/store.ts';
import { openPullLine } from '../../../src/protocol/pull.ts';
import { documentHash } from '../../../src/protocol/pure/hash.ts';
import { formatHlc, type Hlc, parseHlc } from '../../../src/protocol/pure/hlc.ts';
import { NOON, sha256 } from './fake-system.ts';

export const SCOPE = 'scope-1';
export const ACTOR = 'actor-1';
export const CLIENT = 'client-m';

/** A version or stamp `ms` after noon. */
export function hlc(ms: number, c = 0, node = 'a1b2'): Hlc {
  return formatHlc({ p: NOON + ms, c, node });
}

/** A head at `version`; without one, that of a scope that does not exist. */
export function head(version?: Hlc, fields: Partial<ScopeHead> = {}): ScopeHead {
  const parts = version === undefined ? undefined : parseHlc(version);
  return {
    scope_id: SCOPE,
    head_version: version ?? '',
    head_seq: version === undefined ? 0 : 10,
    head_bundle_seq: version === undefined ? 0 : 4,
    hlc_p: parts?.p ?? 0,
    hlc_c: parts?.c ?? 0,
    chain_start: '',
    ...fields,
  };
}

/** A current document of the scope, as the engine wrote it. */
export function document(version: Hlc, fields: Partial<StoredDocument> = {}): StoredDocument {
  const data = fields.data ?? { title: 'stored' };
  return {
    collection: 'tasks',
    doc_id: 't1',
    scope_id: SCOPE,
    version,
    change_version: version,
    hash: documentHash(sha256, data),
    actor_id: ACTOR,
    client_id: 'client-s',
    data,
    read_only: false,
    ...fields,
  };
}

/** A deleted document of the scope. */
export function tombstone(version: Hlc, fields: Partial<Tombstone> = {}): Tombstone {
  return {
    scope_id: SCOPE,
    collection: 'tasks',
    doc_id: 't1',
    version,
    change_version: version,
    client_id: 'client-s',
    at_ms: NOON,
    ...fields,
  };
}

/** A configured collection with string ids. */
export function policy(name: string, fields: Partial<CollectionPolicy> = {}): CollectionPolicy {
  return {
    name,
    id_type: 'string',
    resolver: 'lww',
    delete_policy: 'resurrect_on_update',
    scope_field: null,
    scope: null,
    capture: false,
    ...fields,
  };
}

/** A catalogue of the policies by name. */
export function catalogue(...policies: readonly CollectionPolicy[]) {
  return new Map(policies.map((one) => [one.name, one]));
}

/** A row as pull reads it. */
export function readOf(row: OplogRow): OplogRead {
  const { version, prev, seq, bundle_seq, ordinal, bundle_rows, collection, doc_id } = row;
  const { operation, origin } = row;
  return {
    ...{ version, prev, seq, bundle_seq, ordinal, bundle_rows, collection, doc_id },
    ...{ operation, origin, line: openPullLine(row) },
  };
}

/** A chain of rows: one entry per bundle, each a list of collection names; "!name" is a reset row. */
export function chain(bundles: readonly (readonly string[])[], first_seq = 1): OplogRead[] {
  const rows: OplogRead[] = [];
  bundles.forEach((collections, bundle) => {
    collections.forEach((name, ordinal) => {
      const seq = first_seq + rows.length;
      const version = hlc(seq);
      const collection = name.replace('!', '');
      const reset = name.startsWith('!');
      rows.push(
        readOf({
          version,
          scope_id: SCOPE,
          seq,
          prev: seq === 1 ? '' : hlc(seq - 1),
          bundle_seq: bundle + 1,
          ordinal,
          bundle_rows: collections.length,
          collection,
          doc_id: reset ? null : `d${seq}`,
          operation: reset ? 'reset' : 'upsert',
          data: reset ? null : { n: seq },
          typed: null,
          actor_id: ACTOR,
          client_id: CLIENT,
          mutation_id: null,
          change_version: version,
          parent_version: null,
          origin: 'push',
          timestamp_ms: NOON + seq,
        }),
      );
    });
  });
  return rows;
}
