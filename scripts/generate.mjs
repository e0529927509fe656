/**
 * Writes the files that are made from code. Usage: `node scripts/generate.mjs [--check]`.
 * With `--check` nothing is written and drift is an error.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { apiPage } from './lib/api-page.mjs';
import { importTypeScript } from './lib/bundle.mjs';
import { configPage, errorsPage, metricsPage, rulesPage } from './lib/generated-pages.mjs';
import { inRoot } from './lib/paths.mjs';
import { definedRules, testsByRule } from './lib/rule-ids.mjs';

const wanted = [
  ...(await errorFiles()),
  ...(await configFiles()),
  ...(await metricFiles()),
  { file: 'docs/API.md', text: apiPage() },
  ...ruleFiles(),
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

/** The rules are written by hand; which tests show them is read from the titles. */
function ruleFiles() {
  const rules = definedRules(readFileSync(inRoot('docs/PROTOCOL.md'), 'utf8'));
  return [{ file: 'docs/RULES.md', text: rulesPage(rules, testsByRule()) }];
}
