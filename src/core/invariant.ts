/** Assertions that stay on in production. */

/** A broken promise of our own code: a bug, answered 500 `internal` and never caught further down. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvariantError';
  }
}

/** Throws `InvariantError` unless `condition` holds. `message` is static text: what must hold. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
