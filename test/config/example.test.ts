import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { COLLECTION_KEYS, CONFIG_KEYS } from '../../src/config/config-keys.ts';
import { configJsonSchema } from '../../src/config/editor-schema.ts';
import { servingProblems } from '../../src/config/serve-rules.ts';
import { loadYaml } from './scratch-config.ts';

const example = readFileSync(resolve('sync.config.example.yaml'), 'utf8');
const env = {
  OFFLINE_SYNC_SECRET: 'x'.repeat(32),
  METRICS_TOKEN: 'y'.repeat(32),
  SERVER_WRITES_TOKEN: 'z'.repeat(32),
};

/** Settings that stand there as `# key: value`, switched on. */
const everything = example
  .replace(/^(\s*)# ([a-z_]+: \S.*)$/gm, '$1$2')
  .replace(/^([a-z_]+): \{\}\n# {3}token:/gm, '$1:\n  token:');

/** Everything with one kind of key for tokens; algorithms stand there for a secret. */
function withKey(kept: string): string {
  const keys = ['secret', 'jwks_url', 'jwks'].filter((key) => key !== kept);
  const lines = kept === 'secret' ? keys : [...keys, 'algorithms'];
  return everything.replace(new RegExp(`^  (${lines.join('|')}): .*\n`, 'gm'), '');
}

test('[CF-13] the example is valid as it stands, and serves', async (t) => {
  const loaded = await loadYaml(t, example, { env });
  assert.deepEqual(servingProblems(loaded), []);
  assert.equal(loaded.config.store, 'embedded');
});

test('[CF-13] what is commented out in the example is valid too, and then every key has a value', async (t) => {
  const { config, origins } = await loadYaml(t, withKey('secret'), { env });
  const others = await Promise.all(
    ['jwks_url', 'jwks'].map((key) => loadYaml(t, withKey(key), { env })),
  );
  const all = [origins, ...others.map((loaded) => loaded.origins)];
  const missing = CONFIG_KEYS.filter(
    ({ name }) => !all.some((from) => from.get(name)?.startsWith('file ')),
  );
  assert.deepEqual(
    missing.map(({ name }) => name),
    [],
  );
  const options = config.collections.flatMap((collection) => Object.keys(collection));
  assert.deepEqual(
    COLLECTION_KEYS.filter(({ name }) => !options.includes(name)),
    [],
  );
});

test('[CF-13] the example shows the defaults', async (t) => {
  const { config } = await loadYaml(t, example, { env });
  const plain = await loadYaml(
    t,
    `collections: [tasks, notes]\nauth: {secret: ${'x'.repeat(32)}}\n`,
  );
  const differing = (Object.keys(config) as (keyof typeof config)[]).filter(
    (key) =>
      key !== 'data_dir' && JSON.stringify(config[key]) !== JSON.stringify(plain.config[key]),
  );
  assert.deepEqual(differing, ['auto_init']);
});

test('[CF-13] the JSON Schema describes every key', () => {
  const schema = configJsonSchema() as { properties: Record<string, { properties?: object }> };
  for (const { path } of CONFIG_KEYS) {
    let level: { properties?: Record<string, unknown> } | undefined = schema;
    for (const part of path) level = level?.properties?.[part] as typeof level;
    assert.ok((level as { description?: string } | undefined)?.description, path.join('.'));
  }
});

describe('[CF-13] the JSON Schema in the hands of an editor', () => {
  const text = readFileSync(resolve('config/sync.config.schema.json'), 'utf8');
  const { $schema, ...schema } = JSON.parse(text);
  const validate = new Ajv({ allErrors: true, strict: false }).compile(schema);
  const errors = (yaml: string) => {
    validate(parse(yaml));
    return (validate.errors ?? []).map(({ instancePath, keyword }) => `${instancePath} ${keyword}`);
  };

  test('[CF-13] it is draft 7 and a valid schema', () => {
    assert.equal($schema, 'http://json-schema.org/draft-07/schema#');
    assert.equal(new Ajv({ strict: false }).validateSchema(JSON.parse(text)), true);
  });
  test('[CF-13] a validator of somebody else accepts the example and all that is commented out', () => {
    assert.deepEqual(errors(example), []);
    assert.deepEqual(errors(everything), []);
  });
  test('[CF-13] a value may be a placeholder, whatever its rule', () => {
    const placed = ['port: ${PORT:-8080}', 'store: ${STORE}', 'auto_init: ${INIT}'];
    const nested = ['auth: {secret: "${S}"}', 'collections: {tasks: {id_type: "${T}"}}'];
    for (const yaml of [...placed, ...nested]) assert.deepEqual(errors(yaml), [], yaml);
  });
  for (const [yaml, found] of [
    ['prot: 1', ' additionalProperties'],
    ['port: many', '/port type'],
    ['port: 70000', '/port maximum'],
    ['port: $PORT', '/port type'],
    ['collections: [{id_type: string}]', '/collections'],
    ['collections: {tasks: {id_type: text}}', '/collections'],
    ['auth: {mode: open}', '/auth/mode enum'],
  ] as const) {
    test(`[CF-13] it marks ${yaml}`, () => {
      const all = errors(yaml);
      assert.ok(
        all.some((one) => one.startsWith(found)),
        JSON.stringify(all),
      );
    });
  }
});
