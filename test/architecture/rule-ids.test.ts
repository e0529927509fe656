/** Rules and tests know each other: no rule without a test, no test of a rule that nobody wrote down. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { inRoot, listFiles } from '../../scripts/lib/paths.mjs';
import { definedRules, testsByRule } from '../../scripts/lib/rule-ids.mjs';
import { source, sources } from './support/sources.ts';

const RULES_MIN = 50;

function rulesOf(file: string): string[] {
  return existsSync(inRoot(file)) ? definedRules(source(file).text) : [];
}

const defined = listFiles('docs', (file) => file.endsWith('.md')).flatMap(rulesOf);

test('[AR-14] every rule of the documents has a test whose title starts with its id', () => {
  const tested = testsByRule();
  assert.ok(defined.length >= RULES_MIN, `only ${defined.length} rules were found`);
  assert.deepEqual(
    defined.filter((rule) => !tested.has(rule)),
    [],
  );
});

test('[AR-14] every id in a title is a rule of the documents, and each is defined once', () => {
  const known = new Set(defined);
  const unknown = [...testsByRule()].filter(([rule]) => !known.has(rule));
  assert.deepEqual(
    unknown.map(([rule, tests]) => `${rule} in ${tests[0]?.file}`),
    [],
  );
  assert.equal(known.size, defined.length, 'a rule is defined twice');
});

test('[AR-14] every title starts with a rule id', () => {
  const bare = sources(['test'], ['.test.ts', '.contract.ts']).flatMap(({ file, text }) =>
    [
      ...text.matchAll(
        /^\s*(?:await )?(?:test|it)\(\s*(['"`])((?!\[([A-Z]{2}-\d|\$\{rule\})).*)$/gm,
      ),
    ].map((match) => `${file}: ${match[2]?.slice(0, 80)}`),
  );
  assert.deepEqual(bare, []);
});
