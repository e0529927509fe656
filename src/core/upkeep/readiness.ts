/** Whether requests would succeed now: database, layout, and not stopping. */

import type { Readiness } from '../../protocol/status.ts';
import type { SyncStore, WantedLayout } from '../ports/store.ts';
import type { Clock } from '../ports/system.ts';

/** How long the last look at collections and indexes stands, ms. */
export const LAYOUT_TRUSTED_MS = 30_000;

/** What is looked at. */
export interface ReadinessParts {
  readonly store: Pick<SyncStore, 'ping' | 'checkLayout'>;
  readonly layout: WantedLayout;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** Answers from a ping each time and from a look at the layout every 30 s at most. Never throws. */
export function createReadiness(
  parts: ReadinessParts,
  state: { readonly draining: boolean },
): () => Promise<Readiness> {
  const findings = layoutFindings(parts);
  return async () => {
    const answers = await succeeds(() => parts.store.ping());
    const missing = answers ? await findings() : 0;
    const checks = [
      { name: 'database', ok: answers, detail: answers ? 'answers' : 'does not answer' },
      {
        name: 'layout',
        ok: answers && missing === 0,
        detail: missing === 0 ? 'complete' : `${missing} findings; see: offline-sync serve --check`,
      },
      { name: 'accepting', ok: !state.draining, detail: state.draining ? 'stopping' : 'yes' },
    ];
    return { ready: checks.every(({ ok }) => ok), checks };
  };
}

function layoutFindings({ store, layout, clock }: ReadinessParts): () => Promise<number> {
  let last: { readonly at: number; readonly missing: number } | undefined;
  return async () => {
    const now = clock.monotonic();
    if (last !== undefined && now - last.at < LAYOUT_TRUSTED_MS) return last.missing;
    try {
      const checks = await store.checkLayout(layout);
      last = { at: now, missing: checks.filter(({ ok }) => !ok).length };
      return last.missing;
    } catch {
      return 1;
    }
  };
}

async function succeeds(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch {
    return false;
  }
}
