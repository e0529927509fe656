/** Every scope that has a head, page by page. */

import type { ScopeReads } from '../ports/store.ts';

const SCOPES_PER_READ = 500;

/** Scope ids in order. One that is made meanwhile may be missing. */
export async function* allScopes(
  store: Pick<ScopeReads, 'listScopes'>,
): AsyncGenerator<string, void, undefined> {
  let after: string | null = null;
  for (;;) {
    const page: readonly string[] = await store.listScopes(after, SCOPES_PER_READ);
    yield* page;
    after = page.at(-1) ?? null;
    if (page.length < SCOPES_PER_READ || after === null) return;
  }
}
