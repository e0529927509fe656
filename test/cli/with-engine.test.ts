/** An engine for a command that writes: the store's checks and locks, without a listening server. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withEngine, withStore } from '../../src/compose-store.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { RequestContext } from '../../src/core/context.ts';
import { freshFolder } from './support/command.ts';

const CONTEXT: RequestContext = {
  identity: { actor_id: 'operator', scope_ids: ['team'] },
  scope_id: 'team',
  request_id: 'test',
};

function pushOf(doc_id: string) {
  const change = { collection: 'tasks', doc_id, operation: 'upsert', data: { n: 1 } };
  return { client_id: 'test', changes: [change] };
}

test('[IM-2] a command writes through the engine, and the store is closed afterwards', async (t) => {
  const { config } = await loadConfig({ cwd: freshFolder(t), env: {} });
  for (const [doc_id, bundle_seq] of [
    ['t1', 1],
    ['t2', 2],
  ] as const) {
    const answer = await withEngine(config, (engine) => engine.push(CONTEXT, pushOf(doc_id)));
    assert.equal(answer.body.results[0]?.status, 'accepted');
    assert.equal(answer.body.bundle_seq, bundle_seq);
  }
  const failing = withEngine(config, async (engine) => {
    await engine.push(CONTEXT, pushOf('t3'));
    throw new Error('the work failed');
  });
  await assert.rejects(failing, /the work failed/);
  const { head } = await withStore(config, 'serve', (store) => store.readScope('team', null));
  assert.equal(head?.head_bundle_seq, 3);
});

test('[IM-2] a store that was not initialised is refused, and so is one that somebody holds', async (t) => {
  const cwd = freshFolder(t, { 'sync.config.yaml': 'collections: [tasks]\nauth: {mode: none}\n' });
  const { config } = await loadConfig({ cwd, env: {} });
  const push = () => withEngine(config, (engine) => engine.push(CONTEXT, pushOf('t1')));
  await assert.rejects(push(), { name: 'SetupError', fault: 'not_initialised' });
  const initialised = { ...config, auto_init: true };
  await withEngine(initialised, async () => {
    await assert.rejects(push(), { name: 'StoreError', kind: 'locked' });
  });
  assert.equal((await push()).body.bundle_seq, 1);
});
