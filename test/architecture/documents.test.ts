/** The documents do not rot: paths exist, links resolve, pages have one title and stay readable. */

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { type Source, source, sources } from './support/sources.ts';

const LINES_MAX: Readonly<Record<string, number>> = { 'README.md': 200, 'docs/PROTOCOL.md': 700 };
const ADR_LINES_MAX = 60;
const ADR_SECTIONS = ['Context', 'Options', 'Decision', 'Consequences', 'How it is checked'];

const pages: Source[] = [
  ...readdirSync(inRoot())
    .filter((file) => /^[A-Z]+\.md$/.test(file))
    .map(source),
  ...sources(['docs', 'examples'], ['.md']),
];

/** Text outside fenced code. */
function prose(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '');
}

test('[AR-15] every path that a document names exists', () => {
  const dead = pages.flatMap(({ file, text }) =>
    [...text.matchAll(/`((?:src|test|scripts|config|docs|bin|examples|\.ci)\/[\w./-]*)`/g)]
      .map((match) => match[1] ?? '')
      .filter((name) => !existsSync(inRoot(name)))
      .map((name) => `${file}: ${name}`),
  );
  assert.deepEqual(dead, []);
});

test('[AR-15] every link inside the documents resolves', () => {
  const dead = pages.flatMap(({ file, text }) =>
    [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => (match[1] ?? '').replace(/#.*$/, ''))
      .filter((link) => link !== '' && !/^[a-z]+:/.test(link))
      .filter((link) => !existsSync(inRoot(path.dirname(file), link)))
      .map((link) => `${file}: ${link}`),
  );
  assert.deepEqual(dead, []);
});

test('[AR-15] every page has one title', () => {
  const wrong = pages
    .map(({ file, text }) => ({ file, titles: prose(text).match(/^# /gm)?.length ?? 0 }))
    .filter(({ titles }) => titles !== 1);
  assert.deepEqual(wrong, []);
});

test('[AR-15] long pages stay within their limits', () => {
  for (const [file, max] of Object.entries(LINES_MAX)) {
    const lines = source(file).text.trimEnd().split('\n').length;
    assert.ok(lines <= max, `${file} has ${lines} lines, at most ${max}`);
  }
});

test('[AR-16] every decision record says what was decided and how it is checked', () => {
  const records = sources(['docs/adr'], ['.md']);
  assert.ok(records.length >= 10, `only ${records.length} records`);
  for (const { file, text } of records) {
    assert.match(path.basename(file), /^\d{4}-[a-z0-9-]+\.md$/);
    assert.ok(text.trimEnd().split('\n').length <= ADR_LINES_MAX, `${file} is too long`);
    for (const section of ADR_SECTIONS)
      assert.ok(text.includes(`\n## ${section}\n`), `${file}: ${section}`);
  }
});
