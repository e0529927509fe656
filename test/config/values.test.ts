import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeProblem } from '../../src/config/config-error.ts';
import { faultsOf, loadYaml } from './scratch-config.ts';

const BASE = 'collections: [a]\n';
const ALGORITHMS =
  'expected a list of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA';

for (const [yaml, key, value, message] of [
  ['port: "80a"', 'port', '"80a"', 'expected a whole number from 0 to 65535'],
  ['port: 70000', 'port', '70000', 'expected a whole number from 0 to 65535'],
  ['port: -1', 'port', '-1', 'expected a whole number from 0 to 65535'],
  ['port: 80.5', 'port', '80.5', 'expected a whole number from 0 to 65535'],
  ['port: null', 'port', 'null', 'expected a whole number from 0 to 65535'],
  ['oplog_ttl_days: 0', 'oplog_ttl_days', '0', 'expected a whole number from 1 to 10000'],
  ['oplog_ttl_days: -1', 'oplog_ttl_days', '-1', 'expected a whole number from 1 to 10000'],
  [
    'oplog_ttl_days: 1e9',
    'oplog_ttl_days',
    '1000000000',
    'expected a whole number from 1 to 10000',
  ],
  ['push_max_changes: 1001', 'push_max_changes', '1001', 'expected a whole number from 1 to 1000'],
  ['auto_init: "maybe"', 'auto_init', '"maybe"', 'expected true or false'],
  [
    'log_level: loud',
    'log_level',
    '"loud"',
    'expected one of trace, debug, info, warn, error, silent',
  ],
  ['host: ""', 'host', '""', 'expected a text that is not empty'],
  ['host: 5', 'host', '5', 'expected a text that is not empty'],
  ['auth: 5', 'auth', '5', 'expected a mapping of keys'],
  ['auth: {algorithms: [none]}', 'auth.algorithms.0', '"none"', ALGORITHMS],
  ['auth: {algorithms: []}', 'auth.algorithms', '[]', ALGORITHMS],
  [
    'auth: {scope_id_field: scope}',
    'auth.scope_id_field',
    '"scope"',
    'expected a claim other than the OAuth claim "scope", which lists permissions',
  ],
  [
    'cors: {origins: ["*"]}',
    'cors.origins.0',
    '"*"',
    'expected origins such as https://app.example.com, without a path and without "*"',
  ],
] as const) {
  test(`[CF-5] a wrong value is named with what was expected: ${yaml}`, async (t) => {
    const [fault, ...others] = await faultsOf(loadYaml(t, `${BASE}${yaml}\n`));
    assert.deepEqual(others, []);
    assert.deepEqual(
      [fault?.where, fault?.key, fault?.value, fault?.message],
      ['sync.config.yaml:2', key, value, message],
    );
    if (key !== 'auth') assert.ok(fault?.example, 'an example is given');
  });
}

test('[CF-5] the example is written as at the place of the fault', async (t) => {
  const env = await faultsOf(loadYaml(t, BASE, { env: { SYNC_PORT: '80a' } }));
  const flag = await faultsOf(
    loadYaml(t, BASE, { flags: [{ name: 'port', text: 'x', flag: '--port' }] }),
  );
  assert.deepEqual(
    [...env, ...flag].map(({ where, example }) => [where, example]),
    [
      ['env SYNC_PORT', 'SYNC_PORT=8080'],
      ['flag --port', '--port 8080'],
    ],
  );
});

test('[CF-5] all faults are reported at once', async (t) => {
  const faults = await faultsOf(loadYaml(t, 'port: x\nlog_level: y\ncolections: [a]\n'));
  assert.deepEqual(faults.map(({ key }) => key).sort(), ['colections', 'log_level', 'port']);
});

for (const name of ['', 'system.users', 'sync_oplog', 'a$b', 'a,b', 'a\\0b', 'x'.repeat(121)]) {
  test(`[CF-5] a collection is not named ${JSON.stringify(name.slice(0, 12))}`, async (t) => {
    for (const yaml of [`collections: ["${name}"]\n`, `collections:\n  "${name}": {}\n`]) {
      const [fault] = await faultsOf(loadYaml(t, yaml));
      assert.match(fault?.message ?? '', /^expected a collection name/);
    }
  });
}

for (const yaml of ['port: 1', 'collections: []', 'collections: {}']) {
  test(`[CF-5] a file needs at least one collection: ${yaml}`, async (t) => {
    const [fault] = await faultsOf(loadYaml(t, `${yaml}\n`));
    assert.equal(fault?.key, 'collections');
  });
}

test('[TB-6] tombstones in place are refused for the embedded store', async (t) => {
  const yaml = 'collections: {a: {}, b: {tombstones: in_place}}\n';
  const [fault, ...others] = await faultsOf(loadYaml(t, yaml));
  assert.deepEqual([fault?.key, others], ['collections.b.tombstones', []]);
  assert.match(fault?.message ?? '', /MongoDB/);
  const place = 'mongodb_uri: mongodb://h/?replicaSet=r\ndatabase_name: d\n';
  const { config } = await loadYaml(t, place + yaml);
  assert.deepEqual(
    config.collections.map(({ tombstones }) => tombstones),
    ['sidecar', 'in_place'],
  );
});

test('[CF-5] a collection is listed once and has scope or scope_field', async (t) => {
  const twice = await faultsOf(loadYaml(t, 'collections: [a, a]\n'));
  assert.match(twice[0]?.message ?? '', /listed twice/);
  const both = await faultsOf(loadYaml(t, 'collections:\n  a: {scope: x, scope_field: y}\n'));
  assert.match(both[0]?.message ?? '', /not both/);
});

const PASSWORD = 'hunter2-and-more';
for (const [name, yaml] of [
  ['a connection string', `mongodb_uri: "postgres://u:${PASSWORD}@h/x"`],
  ['a weak connection string', `mongodb_uri: "mongodb://u:${PASSWORD}@h/x?w=0"\ndatabase_name: x`],
  ['a short secret', `auth: {secret: "${PASSWORD}"}`],
  ['a metrics token', `metrics: {token: [${PASSWORD}]}`],
  ['a secret of the wrong type', `auth: {secret: [${PASSWORD}]}`],
] as const) {
  test(`[CF-6] a fault of ${name} does not show it`, async (t) => {
    const faults = await faultsOf(loadYaml(t, `${BASE}${yaml}\n`));
    assert.ok(faults.length > 0);
    assert.ok(!faults.map(describeProblem).join('\n').includes('hunter2'));
  });
}

for (const [days, key, message] of [
  ['receipt_ttl_days: 29', 'receipt_ttl_days', 'expected at least oplog_ttl_days (30)'],
  [
    'oplog_ttl_days: 90\nreceipt_ttl_days: 60',
    'receipt_ttl_days',
    'expected at least oplog_ttl_days (90)',
  ],
  [
    'tombstone_ttl_days: 59',
    'tombstone_ttl_days',
    'expected at least receipt_ttl_days (60), or 0 for ever',
  ],
] as const) {
  test(`[CF-9] tombstones outlive receipts, receipts the log: ${days}`, async (t) => {
    const faults = await faultsOf(loadYaml(t, `${BASE}${days}\n`));
    assert.deepEqual(
      faults.map((fault) => [fault.key, fault.message]),
      [[key, message]],
    );
  });
}

test('[CF-9] lifetimes that are not given follow the one of the log; 0 keeps tombstones for ever', async (t) => {
  const { config } = await loadYaml(t, `${BASE}oplog_ttl_days: 7\n`);
  assert.deepEqual([config.receipt_ttl_days, config.tombstone_ttl_days], [14, 14]);
  const forEver = await loadYaml(t, `${BASE}tombstone_ttl_days: 0\n`);
  assert.equal(forEver.config.tombstone_ttl_days, 0);
});

test('[CF-9] a lowered maximum lowers the default page; a page above it is a fault', async (t) => {
  const { config } = await loadYaml(t, `${BASE}pull_max_limit: 100\nfull_max_limit: 50\n`);
  assert.deepEqual([config.pull_default_limit, config.full_default_limit], [100, 50]);
  const faults = await faultsOf(
    loadYaml(t, `${BASE}pull_max_limit: 100\npull_default_limit: 101\n`),
  );
  assert.deepEqual(
    faults.map(({ key }) => key),
    ['pull_default_limit'],
  );
});

for (const option of [
  'w=0',
  'w=1',
  'journal=false',
  'tlsInsecure=true',
  'tlsAllowInvalidCertificates=true',
  'readPreference=secondary',
]) {
  test(`[CF-11] a connection string must not weaken what the server promises: ${option}`, async (t) => {
    const uri = `mongodb://127.0.0.1/?replicaSet=rs0&${option}`;
    const faults = await faultsOf(loadYaml(t, `${BASE}database_name: x\nmongodb_uri: "${uri}"\n`));
    assert.match(faults[0]?.message ?? '', new RegExp(option.split('=')[0] as string));
  });
}

test('[CF-14] the token of server writes has at least 32 characters and is never shown', async (t) => {
  const [fault] = await faultsOf(loadYaml(t, `${BASE}server_writes: {token: short-and-known}\n`));
  assert.deepEqual(
    [fault?.key, fault?.message],
    ['server_writes.token', 'expected a token of at least 32 characters'],
  );
  assert.doesNotMatch(describeProblem(fault ?? assert.fail()), /short-and-known/);
  const { config } = await loadYaml(t, `${BASE}server_writes: {token: ${'x'.repeat(32)}}\n`);
  assert.equal(config.server_writes.token, 'x'.repeat(32));
  const plain = await loadYaml(t, BASE);
  assert.deepEqual(
    [plain.config.server_writes.token, plain.config.push.enabled],
    [undefined, true],
  );
});
