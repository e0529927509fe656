/** The README does what it says: its commands are run, not read. */

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { run, serve } from './installed.ts';

/** Stands in for curl where there is none: `-s`, `-H`, `-d` and an address. */
const CURL = `#!${process.execPath}
const headers = {};
let body, url;
for (let i = 2; i < process.argv.length; i += 1) {
  const arg = process.argv[i];
  if (arg === '-H') { const [name, value] = process.argv[++i].split(/: /); headers[name] = value; }
  else if (arg === '-d') body = process.argv[++i];
  else if (arg !== '-s') url = arg;
}
fetch(url, { headers, body, method: body === undefined ? 'GET' : 'POST' })
  .then((response) => response.text()).then((text) => console.log(text));
`;

const blocks = [
  ...readFileSync(inRoot('README.md'), 'utf8').matchAll(/^```sh\n([\s\S]*?)^```/gm),
].map((match) => match[1] ?? '');

test('[AR-20] the first block starts the server and the second runs all tests', () => {
  assert.deepEqual(blocks.slice(0, 2), ['npm ci && npx offline-sync serve\n', 'npm test\n']);
});

test('[AR-20] the lines of the README push, pull, resync and ask the status', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'offline-sync-readme-'));
  const command = inRoot('bin/offline-sync.js');
  const served = await serve([process.execPath, command, 'serve', '--port', '0', '--json'], folder);
  try {
    mkdirSync(path.join(folder, 'bin'));
    writeFileSync(path.join(folder, 'bin/curl'), CURL);
    chmodSync(path.join(folder, 'bin/curl'), 0o755);
    const lines = (blocks[2] ?? '')
      .replaceAll('http://127.0.0.1:8080', served.url)
      .replaceAll('npx offline-sync', `"${process.execPath}" "${command}"`);
    const printed = run('bash', ['-ec', `PATH="${folder}/bin:$PATH"\n${lines}`], folder);
    const [push, pull, ...full] = printed
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      push.results.map((result: { status: string }) => result.status),
      ['accepted', 'accepted'],
    );
    assert.deepEqual(
      pull.changes.map((row: { doc_id: string }) => row.doc_id),
      ['t1', 'n1'],
    );
    const status = full.pop();
    assert.deepEqual([status.needs_sync, status.pending_pull_count], [true, 2]);
    assert.equal(full.length, 3, printed);
    assert.equal(full.at(-1).documents ?? full.at(-1).count, 2);
  } finally {
    assert.equal(await served.stop(), 0);
    rmSync(folder, { recursive: true, force: true });
  }
});

test('[AR-20] npx finds the command inside the checkout', () => {
  assert.match(run('npx', ['offline-sync', '--version'], inRoot()), /^\d+\.\d+\.\d+/);
});
