/** How a failure crosses the thread boundary: as a kind and static text, and back as an error. */

import { StoreError } from '../../core/ports/store.ts';
import { FatalError, RetryError } from './group-transaction.ts';
import type { TaskFailure } from './messages.ts';
import { asStoreError } from './sqlite-failure.ts';

/** A thrown value as it travels. */
export function failureOf(thrown: unknown): TaskFailure {
  const error = asStoreError(thrown);
  const cause = messageOf(
    error instanceof Error && error.cause !== undefined ? error.cause : error,
  );
  if (error instanceof RetryError) return { kind: 'retry', message: error.message, cause };
  if (error instanceof FatalError) return { kind: 'fatal', message: error.message, cause };
  if (error instanceof StoreError) return { kind: error.kind, message: error.message, cause };
  return { kind: 'other', message: messageOf(error), cause };
}

/** The error that a failure stands for, on the calling thread. */
export function errorOf(failure: TaskFailure): Error {
  const options = { cause: new Error(failure.cause) };
  if (failure.kind === 'retry') return new RetryError(failure.message, options);
  if (failure.kind === 'fatal') return new FatalError(failure.message, options);
  if (failure.kind === 'other') return new Error(failure.message, options);
  return new StoreError(failure.kind, failure.message, options);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
