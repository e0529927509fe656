/**
 * Writes in a transaction that the application opened itself: first the scope is locked and a stamp
 * given, then each written document is recorded [LB-14]. The head moves with every record, so that
 * whenever the application commits, commit order is version order.
 */

import { compareHlc, type Hlc, isHlc, parseHlc } from '../../protocol/pure/hlc.ts';
import { SERVER_NAME } from '../../protocol/server-changes.ts';
import type { VersionSource } from '../hybrid-clock.ts';
import { invariant } from '../invariant.ts';
import type { ScopeHead } from '../ports/records.ts';
import { type LockedScope, ScopeWriteError, type ScopeWrites } from '../ports/scope-writes.ts';
import type { PushParts } from '../push/push.ts';
import { decideScopeWrite, type WrittenBundle } from './decide-scope-write.ts';
import { keyOf } from './scope-writer.ts';
import { checkNames, decisionParts } from './with-scope-write.ts';

/** Fields for a document that the application writes itself. */
export interface SyncMetadata {
  readonly _sync_version: Hlc;
  readonly _sync_actor_id: string;
  readonly _sync_scope_id: string;
}

/** Who writes where, in which transaction. */
export interface MetadataRequest {
  readonly scope_id: string;
  /** Who the rows say acted; "server" without it. */
  readonly actor_id?: string;
  /** A session of the server's client, in a transaction. */
  readonly session: unknown;
  /**
   * True: other statements may have run in the transaction before. It then fails with a transient
   * error, and has to be repeated, whenever somebody else wrote in the scope meanwhile.
   */
  readonly accept_transient_errors?: boolean;
}

/** One document that the application wrote in the transaction. */
export interface ServerChange {
  readonly session: unknown;
  readonly collection: string;
  /** The id as text, or as the driver stores it. */
  readonly doc_id: unknown;
  readonly operation: 'upsert' | 'delete';
  /** What `buildSyncMetadata` gave in this transaction. */
  readonly metadata: SyncMetadata;
  /** May be given for the reader's sake: clients get what is stored. */
  readonly data?: unknown;
  /** Version that the write was made on; without it the one that was stored before the transaction. */
  readonly parent_version?: string | null;
}

interface Issued {
  readonly session: unknown;
  readonly locked: LockedScope;
}

/** Stamps that were given and the locks they belong to. A stamp that is dropped is forgotten. */
const issued = new WeakMap<SyncMetadata, Issued>();

/** Locks the scope in the session's transaction and gives the stamp. Throws `ScopeWriteError`. */
export async function buildSyncMetadata(
  parts: PushParts,
  request: MetadataRequest,
): Promise<SyncMetadata> {
  const { scope_id, actor_id = SERVER_NAME, session, accept_transient_errors = false } = request;
  checkNames(scope_id, actor_id);
  const locked = await scopeWrites(parts).lockIn(session, scope_id, accept_transient_errors);
  const versions = parts.hybridClock.versions(locked.head, locked.now_ms);
  const metadata: SyncMetadata = {
    _sync_version: versions.next(),
    _sync_actor_id: actor_id,
    _sync_scope_id: scope_id,
  };
  issued.set(metadata, { session, locked });
  return metadata;
}

/** Writes the row, the document's stamp and the head into the transaction. Throws `ScopeWriteError`. */
export async function recordServerChange(
  parts: PushParts,
  change: ServerChange,
): Promise<WrittenBundle> {
  const { session, metadata, operation, parent_version } = change;
  const given = issued.get(metadata);
  if (given === undefined || given.session !== session) {
    throw new ScopeWriteError('unknown_metadata');
  }
  if (typeof parent_version === 'string' && !isHlc(parent_version)) {
    throw new ScopeWriteError('change_refused', { code: 'hlc_invalid' });
  }
  const key = keyOf(parts, change.collection, change.doc_id);
  const { _sync_scope_id: scope_id, _sync_actor_id: actor_id, _sync_version: stamped } = metadata;
  return scopeWrites(parts).writeIn(session, given.locked, {
    keys: [key],
    decide: (written) => {
      const { head, now_ms, documents } = written.snapshot;
      const there = documents.some((document) => document.soft_deleted !== true);
      if (there === (operation === 'delete')) {
        const reason = there ? 'document_present' : 'document_missing';
        throw new ScopeWriteError(reason, { document: key });
      }
      const fresh = parts.hybridClock.versions(head, now_ms);
      return decideScopeWrite({
        ...written,
        ...decisionParts(parts, { scope_id, actor_id }),
        keys: [key],
        stamped,
        versions: startingWith(stamped, head, fresh),
        ...(parent_version === undefined ? {} : { parent_version: parent_version as Hlc | null }),
      });
    },
  });
}

function scopeWrites({ store }: PushParts): ScopeWrites {
  if (store.scope_writes === undefined) throw new ScopeWriteError('unsupported');
  return store.scope_writes;
}

/** The given stamp first, when it is still above the head: one stamp may serve several documents. */
function startingWith(stamped: Hlc, head: ScopeHead, fresh: VersionSource): VersionSource {
  const parts = parseHlc(stamped);
  invariant(parts !== undefined, 'a given stamp is well-formed');
  const above =
    compareHlc(stamped, head.head_version) > 0 &&
    (parts.p > head.hlc_p || (parts.p === head.hlc_p && parts.c > head.hlc_c));
  if (!above) return fresh;
  let used = false;
  return {
    get last() {
      return used ? parts : fresh.last;
    },
    next() {
      invariant(!used, 'one document takes one version');
      used = true;
      return stamped;
    },
  };
}
