/** What the function of `withScopeWrite` works with, on both kinds of store. */

import type { JsonObject } from '../../protocol/pure/canonical-json.ts';
import { canonicalDocId } from '../../protocol/pure/ids.ts';
import type { EngineCore } from '../parts.ts';
import { type CallerTransaction, ScopeWriteError } from '../ports/scope-writes.ts';
import type { DocumentKey } from '../ports/store.ts';
import { type AdmittedChange, checkChanges } from '../push/check-changes.ts';

/** Writes of the application inside its function. Everything must be awaited there. */
export interface ScopeWriter {
  /** The session for the application's own statements. Throws where a store has none. */
  readonly session: unknown;
  /** Names a document that the application changed, created or deleted with the session. */
  record(collection: string, id: unknown): void;
  /** Creates or replaces a document. `data` is JSON with the Extended JSON of the wire; a `Date` is a date. */
  upsert(
    collection: string,
    doc_id: string,
    data: Readonly<Record<string, unknown>>,
  ): Promise<void>;
  /** Deletes a document; one that is not there is no error. */
  delete(collection: string, doc_id: string): Promise<void>;
}

/** A writer, and what its owner does at the end. */
export interface OpenWriter<T> {
  readonly writer: ScopeWriter;
  /** Ends the writer: what the function forgot to await is refused from now on. */
  end(): T;
}

type CheckParts = Pick<EngineCore, 'catalogue' | 'limits' | 'system'>;

/** A writer in a transaction. Its end gives the documents that were named. */
export function writerInTransaction(
  parts: CheckParts,
  scope_id: string,
  transaction: CallerTransaction,
): OpenWriter<readonly DocumentKey[]> {
  const keys = new Map<string, DocumentKey>();
  const gate = openGate();
  const note = ({ collection, doc_id }: DocumentKey) => {
    keys.set(`${collection}\u0000${doc_id}`, { collection, doc_id });
  };
  return {
    writer: {
      get session() {
        gate.check();
        return transaction.session;
      },
      record(collection, id) {
        gate.check();
        note(keyOf(parts, collection, id));
      },
      async upsert(collection, doc_id, data) {
        gate.check();
        const change = admitted(parts, scope_id, { collection, doc_id, operation: 'upsert', data });
        note(change);
        const { typed } = change;
        await transaction.put({ ...place(change), data: change.data as JsonObject, typed });
      },
      async delete(collection, doc_id) {
        gate.check();
        const change = admitted(parts, scope_id, { collection, doc_id, operation: 'delete' });
        note(change);
        await transaction.drop(place(change));
      },
    },
    end() {
      gate.close();
      return [...keys.values()];
    },
  };
}

/** A writer for a store without transactions of the application. Its end gives the changes to push. */
export function writerOfChanges(
  parts: CheckParts,
  scope_id: string,
): OpenWriter<readonly object[]> {
  const changes: object[] = [];
  const gate = openGate();
  const add = (change: object) => {
    gate.check();
    admitted(parts, scope_id, change);
    changes.push(wireValue(change) as object);
  };
  return {
    writer: {
      get session(): never {
        throw new ScopeWriteError('unsupported');
      },
      record() {
        throw new ScopeWriteError('unsupported');
      },
      async upsert(collection, doc_id, data) {
        add({ collection, doc_id, operation: 'upsert', data });
      },
      async delete(collection, doc_id) {
        add({ collection, doc_id, operation: 'delete' });
      },
    },
    end() {
      gate.close();
      return changes;
    },
  };
}

function openGate(): { check(): void; close(): void } {
  let open = true;
  return {
    check() {
      if (!open) throw new ScopeWriteError('write_ended');
    },
    close() {
      open = false;
    },
  };
}

/** The key of a document that the application names by whatever its driver calls `_id`. */
export function keyOf({ catalogue }: CheckParts, collection: string, id: unknown): DocumentKey {
  const policy = catalogue.get(collection);
  const doc_id = policy && canonicalDocId(String(id), policy.id_type);
  if (doc_id === undefined) {
    throw new ScopeWriteError('invalid_document', { document: { collection, doc_id: String(id) } });
  }
  return { collection, doc_id };
}

function place({ collection, doc_id }: DocumentKey): DocumentKey {
  return { collection, doc_id };
}

/** The rules of a push, without the question of who may. */
function admitted(parts: CheckParts, scope_id: string, change: object): AdmittedChange {
  const { catalogue, limits, system } = parts;
  const [checked] = checkChanges([wireValue(change)], {
    catalogue,
    scope_id,
    max_document_bytes: limits.max_document_bytes,
    digest: system.crypto.sha256,
    mayPush: () => true,
  });
  if (checked?.kind === 'admitted') return checked;
  throw new ScopeWriteError('change_refused', {
    code: checked?.code ?? 'validation_failed',
    issues: checked?.issues ?? [],
  });
}

/** A `Date` as the wire writes it; everything else is judged as it is. */
function wireValue(value: unknown): unknown {
  if (value instanceof Date) return { $date: value.toISOString() };
  if (Array.isArray(value)) return value.map(wireValue);
  if (typeof value !== 'object' || value === null) return value;
  const made: unknown = value.constructor;
  // An object of a class would be stored as its fields, which is never what was meant.
  if (typeof made === 'function' && made !== Object) {
    throw new ScopeWriteError('change_refused', {
      code: 'validation_failed',
      issues: [{ path: `/${made.name}`, code: 'invalid_data' }],
    });
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, wireValue(item)]));
}
