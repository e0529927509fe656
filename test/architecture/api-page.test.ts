/** The API page names everything that the package exports, each with what it is for. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { source } from './support/sources.ts';

test('[LB-18] every exported name is on the API page, and every member of the library form has its meaning', () => {
  const { text: entry } = source('src/index.ts');
  const { text: page } = source('docs/API.md');
  const names = [...entry.matchAll(/^export (?:type )?\{([^}]*)\}/gm)]
    .flatMap((match) => (match[1] as string).split(','))
    .map((name) => name.trim().replace(/^type /, ''))
    .filter((name) => name !== '');
  assert.ok(names.length > 30, `only ${names.length} names were found`);
  const described = new Map(
    [...page.matchAll(/^### `(\w+)`\n\n(.+)$/gm)].map((match) => [match[1], match[2]]),
  );
  assert.deepEqual(
    names.filter((name) => !described.has(name)),
    [],
  );
  const form = ['SyncServer', 'SyncServerOptions', 'SyncServerAuth', 'ScopeWrite'];
  const silent = form.flatMap((name) => {
    const section = page.split(`### \`${name}\``)[1]?.split('\n### ')[0] ?? '';
    return [...section.matchAll(/^\| `(\w+)\??` \|.*\|\s*\|$/gm)].map(
      (match) => `${name}.${match[1]}`,
    );
  });
  assert.deepEqual(silent, []);
});
