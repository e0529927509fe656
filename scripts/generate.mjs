/**
 * Writes the files that are made from code. Usage: `node scripts/generate.mjs [--check]`.
 * With `--check` nothing is written and drift is an error.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { apiPage } from './lib/api-page.mjs';
import { importTypeScript } from './lib/bundle.mjs';
import { configPage, enforcementTable, errorsPage, metricsPage } from './lib/generated-pages.mjs';
import { inRoot } from './lib/paths.mjs';
import { definedRules, testsByRule } from './lib/rule-ids.mjs';

const MARK_START = '<!-- Made by `npm run generate` from the titles of the tests. -->';
const MARK_END = '<!-- End of the generated table. -->';

const wanted = [
  ...(await errorFiles()),
  ...(await configFiles()),
  ...(await metricFiles()),
  { file: 'docs/API.md', text: apiPage() },
  ...protocolFiles(),
];
const checking = process.argv.includes('--check');
let drifted = false;
for (const { file, text } of wanted) {
  const current = existsSync(inRoot(file)) ? readFileSync(inRoot(file), 'utf8') : undefined;
  if (current === text) continue;
  if (checking) {
    drifted = true;
    process.stdout.write(`${file} is not what the code says; run npm run generate\n`);
  } else {
    writeFileSync(inRoot(file), text);
    process.stdout.write(`wrote ${file}\n`);
  }
}
process.exitCode = drifted ? 1 : 0;

async function errorFiles() {
  const errors = await importTypeScript('src/protocol/errors.ts');
  const codes = await importTypeScript('src/protocol/pure/error-codes.ts');
  return [{ file: 'docs/ERRORS.md', text: errorsPage({ errors, codes }) }];
}

async function configFiles() {
  const keys = await importTypeScript('src/config/config-keys.ts');
  const environment = await importTypeScript('src/config/environment.ts');
  const { configJsonSchema } = await importTypeScript('src/config/editor-schema.ts');
  return [
    { file: 'docs/CONFIG.md', text: configPage({ keys, environment }) },
    {
      file: 'config/sync.config.schema.json',
      text: `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
    },
  ];
}

async function metricFiles() {
  const metrics = await importTypeScript('src/observability/metrics.ts');
  return [{ file: 'docs/METRICS.md', text: metricsPage({ metrics }) }];
}

/** The rules are written by hand; only the table behind them is made. */
function protocolFiles() {
  const file = 'docs/PROTOCOL.md';
  const document = readFileSync(inRoot(file), 'utf8');
  const table = enforcementTable(definedRules(document), testsByRule());
  const start = document.indexOf(MARK_START);
  const before =
    start === -1 ? `${document.trimEnd()}\n\n## Enforcement\n` : document.slice(0, start);
  const end = document.indexOf(MARK_END);
  const after = end === -1 ? '\n' : document.slice(end + MARK_END.length);
  return [{ file, text: `${before}${MARK_START}\n\n${table}\n\n${MARK_END}${after}` }];
}
