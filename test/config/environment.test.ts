// Placeholders of the configuration file look like those of template strings.
/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are meant literally here */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { CONFIG_KEYS } from '../../src/config/config-keys.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { faultsOf, folderWith, loadYaml } from './scratch-config.ts';

const BASE = 'collections: [a]\n';
const SECRET = 'a-secret-of-at-least-thirty-two-bytes';

test('[CF-7] texts of the environment become the kind of value of their key', async (t) => {
  const cwd = folderWith(t, {});
  const { config } = await loadConfig({
    cwd,
    env: {
      SYNC_PORT: '0',
      SYNC_AUTO_INIT: 'false',
      SYNC_COLLECTIONS: 'a, b',
      SYNC_CORS__ORIGINS: '["https://x.example"]',
      SYNC_AUTH__MODE: 'none',
      SYNC_AUTH__NONE__ACTOR_ID: 'me',
      SYNC_HOST: '',
    },
  });
  assert.deepEqual(
    [config.port, config.auto_init, config.cors.origins, config.auth.none.actor_id, config.host],
    [0, false, ['https://x.example'], 'me', '127.0.0.1'],
  );
  assert.deepEqual(
    config.collections.map(({ name }) => name),
    ['a', 'b'],
  );
});

test('[CF-7] collections with options are given as JSON', async (t) => {
  const cwd = folderWith(t, {});
  const { config } = await loadConfig({
    cwd,
    env: { SYNC_COLLECTIONS: '{"a":{"id_type":"uuid"}}' },
  });
  assert.equal(config.collections[0]?.id_type, 'uuid');
});

test('[CF-7] a secret is read from a file, and not from two places', async (t) => {
  const cwd = folderWith(t, { key: `${SECRET}\n`, 'sync.config.yaml': BASE });
  const path = join(cwd, 'key');
  const { config, origins } = await loadConfig({ cwd, env: { SYNC_AUTH__SECRET_FILE: path } });
  assert.equal(config.auth.secret, SECRET);
  assert.equal(origins.get('auth.secret'), 'env SYNC_AUTH__SECRET_FILE');
  const both = { SYNC_AUTH__SECRET_FILE: path, SYNC_AUTH__SECRET: SECRET };
  assert.match((await faultsOf(loadConfig({ cwd, env: both })))[0]?.message ?? '', /not both/);
  const gone = { SYNC_AUTH__SECRET_FILE: join(cwd, 'gone') };
  assert.match((await faultsOf(loadConfig({ cwd, env: gone })))[0]?.message ?? '', /ENOENT/);
});

test('[CF-7] an unknown SYNC_ name is a warning with the nearest key', async (t) => {
  const { warnings } = await loadYaml(t, BASE, {
    env: { SYNC_PROT: '1', SYNC_PORT_FILE: 'x', SYNC_AUTH_SECRET: 'x', OTHER: 'x' },
  });
  assert.deepEqual(warnings, [
    'env SYNC_PROT is no setting and was ignored; did you mean "SYNC_PORT"?',
    'env SYNC_PORT_FILE is no setting and was ignored; did you mean "SYNC_PORT"?',
    'env SYNC_AUTH_SECRET is no setting and was ignored; did you mean "SYNC_AUTH__SECRET"?',
  ]);
});

test('[CF-7] every key has a variable, a description and an example', () => {
  assert.ok(CONFIG_KEYS.length >= 35, `${CONFIG_KEYS.length} keys`);
  for (const { name, description, example } of CONFIG_KEYS) {
    assert.ok(description.length > 10, `${name} has a description`);
    assert.notEqual(example, undefined, `${name} has an example`);
  }
});

test('[CF-8] variables are replaced in values, with defaults, and never in keys', async (t) => {
  const text = [
    'collections: ["${A}", "${B:-b}"]',
    'port: ${P}',
    'host: "${X:-}127.0.0.${LAST:-1}"',
    'hlc_node_id: "$${A} $A ${1}"',
    'auto_init: "${YES}"',
    '',
  ].join('\n');
  const { config, origins } = await loadYaml(t, text, { env: { A: 'a', P: '77', YES: 'true' } });
  assert.deepEqual(
    config.collections.map(({ name }) => name),
    ['a', 'b'],
  );
  assert.deepEqual(
    [config.port, config.host, config.hlc_node_id, config.auto_init],
    [77, '127.0.0.1', '${A} $A ${1}', true],
  );
  assert.equal(origins.get('port'), 'file sync.config.yaml:2');
  const inKey = await faultsOf(
    loadYaml(t, 'collections: [a]\n"${K}": 1\n', { env: { K: 'port' } }),
  );
  assert.equal(inKey[0]?.key, '${K}');
});

test('[CF-8] a variable without value and default is a fault at its place', async (t) => {
  const faults = await faultsOf(
    loadYaml(t, `${BASE}auth:\n  secret: \${GONE}\n`, { env: { GONE: '' } }),
  );
  assert.deepEqual(
    faults.map(({ where, key, message }) => [where, key, message]),
    [['sync.config.yaml:3', 'auth.secret', 'the environment variable GONE is not set']],
  );
});

test('[CF-8] what a variable holds is not looked through again', async (t) => {
  const { config } = await loadYaml(t, `${BASE}hlc_node_id: \${A}\n`, {
    env: { A: '${B}', B: 'x' },
  });
  assert.equal(config.hlc_node_id, '${B}');
});
