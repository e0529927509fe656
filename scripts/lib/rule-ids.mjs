/** Rule ids such as PU-7: where the documents define them and which test titles start with them. */

import { readFileSync } from 'node:fs';
import { inRoot, listFiles } from './paths.mjs';

const DEFINITION = /^- \*\*([A-Z]{2}-\d+)\*\*/gm;
/** One or more ids at the start of a string literal: `'[PU-7] …'`, `'[PU-7] [ST-2] …'`, `'[PU-7, ST-2] …'`. */
const TITLE = /['"`]((?:\[[A-Z]{2}-\d+(?:, ?[A-Z]{2}-\d+)*\] ?)+)([^'"`\n]*)/g;

/** Ids that a document defines, in its order. */
export function definedRules(document) {
  return [...document.matchAll(DEFINITION)].map((match) => match[1]);
}

/** Titles that start with rule ids in one test source; tables give theirs as `[${rule}]`. */
export function testTitles(source) {
  const titles = [...source.matchAll(TITLE)].map(([, ids, title]) => ({
    ids: ids.match(/[A-Z]{2}-\d+/g),
    title: title.trim(),
  }));
  if (!source.includes('`[${rule}]')) return titles;
  const fromTable = [...source.matchAll(/'([A-Z]{2}-\d+)'/g)].map(([, id]) => id);
  return [...titles, ...fromTable.map((id) => ({ ids: [id], title: 'from a table' }))];
}

/** Rule → `[{file, title}]` over all test sources. */
export function testsByRule() {
  const found = new Map();
  for (const file of listFiles('test', (name) => name.endsWith('.ts'))) {
    for (const { ids, title } of testTitles(readFileSync(inRoot(file), 'utf8'))) {
      for (const rule of ids) found.set(rule, [...(found.get(rule) ?? []), { file, title }]);
    }
  }
  return found;
}
