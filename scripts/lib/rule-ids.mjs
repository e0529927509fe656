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

/** Rule → `[{file, title}]` over all test sources. */
export function testsByRule() {
  const found = new Map();
  for (const file of listFiles('test', (name) => name.endsWith('.ts'))) {
    const source = readFileSync(inRoot(file), 'utf8');
    for (const [, ids, title] of source.matchAll(TITLE)) {
      for (const rule of ids.match(/[A-Z]{2}-\d+/g)) {
        found.set(rule, [...(found.get(rule) ?? []), { file, title: title.trim() }]);
      }
    }
  }
  return found;
}
