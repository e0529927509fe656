/**
 * The story of `withScopeWrite`: the engine locks the scope, the application writes, the engine makes
 * the rows about it, and all of it is committed together [LB-10].
 */

import { SyncError } from '../../protocol/errors.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import { isIdentityText } from '../../protocol/pure/ids.ts';
import { PUSH_DEADLINE_MS } from '../../protocol/pure/limits.ts';
import { SERVER_NAME } from '../../protocol/server-changes.ts';
import { withFreshVersions } from '../commit-decision.ts';
import { ScopeWriteError, type ScopeWrites } from '../ports/scope-writes.ts';
import type { Committed, DocumentKey } from '../ports/store.ts';
import type { PushParts } from '../push/push.ts';
import { asSyncError } from '../store-failure.ts';
import { decideScopeWrite, type WrittenBundle, type WrittenRow } from './decide-scope-write.ts';
import { type ScopeWriter, writerInTransaction, writerOfChanges } from './scope-writer.ts';
import type { ScopeTurns } from './scope-turns.ts';
import { writeServerChanges } from './write-changes.ts';

/** Writes of the application. Must be repeatable: it may run several times, and only the last run counts. */
export type ScopeWriteFunction<T> = (write: ScopeWriter) => Promise<T> | T;

/** What a write gave. Without a change `bundle_seq` is null and there are no rows. */
export interface ScopeWriteResult<T> extends WrittenBundle {
  /** What the function returned in the run that was committed. */
  readonly value: T;
  /** How often the function ran. */
  readonly attempts: number;
}

/** Who writes where. */
export interface ScopeWriteRequest<T> {
  readonly scope_id: string;
  /** Who the rows say acted; "server" without it. */
  readonly actor_id?: string | undefined;
  readonly write: ScopeWriteFunction<T>;
}

/** What writes of the application need of the engine. */
export interface ScopeWriteParts extends PushParts {
  readonly turns: ScopeTurns;
}

/** Writes in one scope. Throws what the function threw, `ScopeWriteError`, and 503 when the scope stays busy. */
export async function withScopeWrite<T>(
  parts: ScopeWriteParts,
  request: ScopeWriteRequest<T>,
): Promise<ScopeWriteResult<T>> {
  const { scope_id, actor_id = SERVER_NAME } = request;
  checkNames(scope_id, actor_id);
  const { scope_writes } = parts.store;
  const work = { ...request, actor_id };
  if (scope_writes === undefined) return writeAsPush(parts, work);
  const deadline_at = parts.system.clock.monotonic() + PUSH_DEADLINE_MS;
  return parts.turns.take(scope_id, () =>
    writeInTransaction(parts, scope_writes, { ...work, deadline_at }),
  );
}

/** Throws for names that no row may carry. */
export function checkNames(scope_id: unknown, actor_id: unknown): void {
  if (!isIdentityText(scope_id) || !isIdentityText(actor_id)) {
    throw new ScopeWriteError('invalid_scope');
  }
}

interface Work<T> extends ScopeWriteRequest<T> {
  readonly actor_id: string;
}

async function writeInTransaction<T>(
  parts: ScopeWriteParts,
  store: ScopeWrites,
  work: Work<T> & { readonly deadline_at: number },
): Promise<ScopeWriteResult<T>> {
  const { scope_id, actor_id, deadline_at } = work;
  const started = parts.system.clock.monotonic();
  let attempts = 0;
  let last: { readonly value: T; readonly keys: readonly DocumentKey[] } | undefined;
  const committed = await withFreshVersions(parts, deadline_at, (budget_ms) =>
    store.writeInScope<WrittenBundle>(scope_id, {
      budget_ms,
      async write(transaction) {
        attempts += 1;
        const { writer, end } = writerInTransaction(parts, scope_id, transaction);
        try {
          const value = await work.write(writer);
          const keys = end();
          last = { value, keys };
          if (keys.length === 0) throw new ScopeWriteError('nothing_written');
          return keys;
        } finally {
          end();
        }
      },
      decide: (written) =>
        decideScopeWrite({
          ...written,
          ...decisionParts(parts, { scope_id, actor_id }),
          keys: last?.keys ?? [],
          versions: parts.hybridClock.versions(written.snapshot.head, written.snapshot.now_ms),
        }),
    }),
  ).catch((error: unknown) => {
    throw asSyncError(error);
  });
  report(parts, { scope_id, actor_id, committed, ms: parts.system.clock.monotonic() - started });
  return { ...committed.outcome, value: last?.value as T, attempts };
}

/** What every decision about a write of the application depends on. */
export function decisionParts(
  { catalogue, limits, system }: Pick<PushParts, 'catalogue' | 'limits' | 'system'>,
  who: { readonly scope_id: string; readonly actor_id: string },
) {
  return {
    ...who,
    catalogue,
    digest: system.crypto.sha256,
    max_documents: limits.push_max_changes,
    max_document_bytes: limits.max_document_bytes,
  };
}

function report(
  parts: ScopeWriteParts,
  of: {
    readonly scope_id: string;
    readonly actor_id: string;
    readonly committed: Committed<WrittenBundle>;
    readonly ms: number;
  },
): void {
  const { scope_id, actor_id, committed, ms } = of;
  const { rows, bundle_seq } = committed.outcome;
  parts.telemetry.emit({
    event: 'scope.written',
    ...{ scope_id, actor_id, rows: rows.length, bundle_seq, attempts: committed.attempts, ms },
  });
}

/** A store without transactions of the application has one writing process, and no sessions: what the function asked for is one push, all or nothing. */
async function writeAsPush<T>(
  parts: ScopeWriteParts,
  { scope_id, actor_id, write }: Work<T>,
): Promise<ScopeWriteResult<T>> {
  const { writer, end } = writerOfChanges(parts, scope_id);
  const value = await write(writer);
  const changes = [...end()];
  if (changes.length === 0) throw new ScopeWriteError('nothing_written');
  if (changes.length > parts.limits.push_max_changes)
    throw new ScopeWriteError('too_many_documents');
  const request = {
    scope_id,
    actor_id,
    client_id: SERVER_NAME,
    changes,
    atomic: 'bundle',
  } as const;
  const { body } = await writeServerChanges(parts, { request_id: SERVER_NAME }, request).catch(
    (error: unknown) => {
      const large = error instanceof SyncError && error.code === 'bundle_too_large';
      throw large ? new ScopeWriteError('bundle_too_large') : error;
    },
  );
  const refused = body.results.find(
    ({ status, code }) => status === 'rejected' && code !== 'batch_rolled_back',
  );
  if (refused !== undefined) {
    throw new ScopeWriteError('change_refused', {
      document: { collection: refused.collection ?? '', doc_id: refused.doc_id ?? '' },
      code: refused.code ?? 'validation_failed',
    });
  }
  const rows = body.results.flatMap(
    ({ collection, doc_id, new_version, resolution }, index): WrittenRow[] => {
      const { operation } = changes[index] as { operation: 'upsert' | 'delete' };
      const written = new_version !== null && resolution !== 'noop';
      if (!written || collection === null || doc_id === null) return [];
      return [{ collection, doc_id, operation, version: new_version as Hlc }];
    },
  );
  return { value, attempts: 1, bundle_seq: body.bundle_seq, rows };
}
