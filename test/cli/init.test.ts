import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { freshFolder, run, serve } from './support/command.ts';

interface InitResult {
  readonly plan: readonly { action: string; kind: string; name: string }[];
  readonly applied: boolean;
}

test('[CL-5] init shows its plan, applies it, and the second time finds everything present', async (t) => {
  const cwd = freshFolder(t);
  const first = await run(t, ['init'], { cwd });
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /^\+ create /m);
  assert.match(first.stderr, /next: offline-sync serve/);
  const second = await run(t, ['init'], { cwd });
  assert.equal(second.code, 0);
  assert.doesNotMatch(second.stdout, /^[+~!] /m);
  assert.match(second.stdout, /^= present /m);
  assert.match(second.stderr, /nothing to do/);
});

test('[CL-5] init --dry-run writes nothing, before and after the store was made', async (t) => {
  const cwd = freshFolder(t);
  const before = await run(t, ['init', '--dry-run', '--json'], { cwd });
  const planned = JSON.parse(before.stdout) as InitResult;
  assert.equal(planned.applied, false);
  assert.ok(planned.plan.some(({ action }) => action === 'create'));
  assert.equal(existsSync(join(cwd, '.offline-sync')), false);
  await run(t, ['init'], { cwd });
  const after = await run(t, ['init', '--dry-run', '--json'], { cwd });
  const { plan, applied } = JSON.parse(after.stdout) as InitResult;
  assert.equal(applied, false);
  assert.ok(plan.every(({ action }) => action === 'present'));
});

test('[CL-5] init --json prints one object', async (t) => {
  const { code, stdout } = await run(t, ['init', '--json'], { cwd: freshFolder(t) });
  const { plan, applied } = JSON.parse(stdout) as InitResult;
  assert.deepEqual([code, applied], [0, true]);
  assert.ok(plan.length > 0);
});

test('[CL-5] init --write-config writes a commented file that serves, and never replaces one', async (t) => {
  const cwd = freshFolder(t);
  const { code, stderr } = await run(t, ['init', '--write-config'], { cwd });
  assert.equal(code, 0, stderr);
  const path = join(cwd, 'sync.config.yaml');
  const text = readFileSync(path, 'utf8');
  assert.match(text, / secret: [\w-]{43}\n/);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await serve(t, { cwd });
  const again = await run(t, ['init', '--write-config', '--dry-run'], { cwd });
  assert.match(again.stderr, /stays as it is/);
  assert.equal(readFileSync(path, 'utf8'), text);
});

test('[CL-5] init while a server holds the folder is exit 5', async (t) => {
  const cwd = freshFolder(t);
  await serve(t, { cwd });
  const { code } = await run(t, ['init'], { cwd });
  assert.equal(code, 5);
});
