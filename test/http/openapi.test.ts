import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { ROUTES } from '../../src/http/app.ts';
import { openApiDocument } from '../../src/http/openapi.ts';
import type { DescribedResponse, Operation, Ref } from '../../src/http/openapi-document.ts';
import { ERROR_CATALOGUE } from '../../src/protocol/errors.ts';
import { ERROR_CODES, REJECTION_CODES } from '../../src/protocol/pure/error-codes.ts';
import type { JsonSchema } from '../../src/protocol/wire-schemas.ts';
import { type Answered, assertDescribed } from './support/described.ts';
import { fakeApp } from './support/fake-app.ts';

const DOCUMENT = openApiDocument(ROUTES);
const OPERATIONS = Object.values(DOCUMENT.paths).flatMap((path) => Object.values(path));

function responsesOf(
  responses: Operation['responses'],
): readonly (readonly [status: string, response: DescribedResponse])[] {
  return Object.entries(responses).map(([status, one]) => [status, resolve(one)]);
}

function resolve(one: DescribedResponse | Ref): DescribedResponse {
  if (!('$ref' in one)) return one;
  const name = one.$ref.slice('#/components/responses/'.length);
  return DOCUMENT.components.responses[name] ?? assert.fail(one.$ref);
}

/** Error codes that a response lists. */
function codesIn(response: DescribedResponse): readonly string[] {
  const text = JSON.stringify(response.content?.['application/json'] ?? {});
  return ERROR_CODES.filter((code) => text.includes(`"${code}"`));
}

describe('[OA-1] the document', () => {
  test('[OA-1] it is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate({ ...DOCUMENT });
    assert.deepEqual(result, { valid: true });
    assert.equal(DOCUMENT.openapi, '3.1.1');
  });
  test('[OA-1] the validator refuses a broken one', async () => {
    const { info: _, ...broken } = structuredClone(DOCUMENT);
    assert.equal((await new Validator().validate(broken)).valid, false);
  });
  test('[OA-1] it has exactly the routes of the table, each under a name of its own', () => {
    const described = Object.entries(DOCUMENT.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const table = ROUTES.map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual(described.sort(), table.sort());
    const names = OPERATIONS.map(({ operationId }) => operationId);
    assert.equal(new Set(names).size, names.length);
  });
  test('[OA-1] routes with a scope ask for a token, the others do not', () => {
    for (const { method, path, auth, about } of ROUTES) {
      const operation = DOCUMENT.paths[path]?.[method.toLowerCase()];
      const asks = {
        metrics: [{}, { metrics: [] }],
        service: [{ service: [] }],
        optional: [{}, { bearer: [] }],
        none: [],
      }[about.token ?? 'none'];
      assert.deepEqual(operation?.security, auth ? [{ bearer: [] }] : asks, path);
      assert.equal(operation?.responses['401'] !== undefined, auth || asks.length > 0, path);
    }
  });
  test('[OA-1] every reference leads somewhere, and every component is referred to', () => {
    const text = JSON.stringify(DOCUMENT);
    const referred = new Set([...text.matchAll(/"\$ref":"#([^"]+)"/g)].map(([, at]) => at));
    for (const [kind, components] of Object.entries(DOCUMENT.components)) {
      if (kind === 'securitySchemes') continue;
      for (const name of Object.keys(components)) {
        assert.ok(referred.delete(`/components/${kind}/${name}`), `${kind} ${name} is not used`);
      }
    }
    assert.deepEqual([...referred], []);
  });
});

describe('[OA-2] the codes', () => {
  const all = [...OPERATIONS.map(({ responses }) => responses), DOCUMENT['x-outside-operations']];
  test('[OA-2] every code of the catalogue occurs, under its status only', () => {
    const seen = new Set<string>();
    for (const [status, response] of all.flatMap(responsesOf)) {
      for (const code of codesIn(response)) {
        seen.add(code);
        // Headers that are too large are the one failure whose status is not that of its code.
        const expected = status === '431' ? 400 : Number(status);
        assert.equal(ERROR_CATALOGUE[code as keyof typeof ERROR_CATALOGUE].status, expected);
      }
    }
    assert.deepEqual([...seen].sort(), [...ERROR_CODES].sort());
  });
  test('[OA-2] every refusal lists codes, in both forms of the envelope', () => {
    for (const [status, response] of all.flatMap(responsesOf)) {
      if (Number(status) < 400) continue;
      assert.ok(codesIn(response).length > 0, status);
      const isReadable = !['400', '408', '431'].includes(status) || response.headers['Sync-Epoch'];
      if (isReadable) assert.ok(response.content?.['application/problem+json'], status);
    }
  });
  test('[OA-2] the catalogue stands in the shapes and, with its meaning, at the end', () => {
    const { ErrorEnvelope, Problem, ChangeResult } = DOCUMENT.components.schemas;
    for (const shape of [ErrorEnvelope, Problem]) {
      assert.deepEqual(shape?.properties?.['error']?.enum, ERROR_CODES);
    }
    const rejected = ChangeResult?.properties?.['code']?.anyOf?.flatMap((one) => one.enum ?? []);
    assert.deepEqual(rejected, REJECTION_CODES);
    assert.deepEqual(Object.keys(DOCUMENT['x-error-codes']).sort(), [...ERROR_CODES].sort());
    assert.deepEqual(
      Object.keys(DOCUMENT['x-rejection-codes']).sort(),
      [...REJECTION_CODES].sort(),
    );
  });
});

describe('[OA-3] GET /openapi.json', () => {
  test('[OA-3] no token is needed, and a caller that has it gets 304', async () => {
    const { app } = fakeApp({}, { server_token: 'service' });
    const first = await app.request('/openapi.json');
    assert.deepEqual(await first.json(), JSON.parse(JSON.stringify(DOCUMENT)));
    assert.equal(first.headers.get('cache-control'), 'no-cache');
    const etag = first.headers.get('etag') ?? '';
    assert.match(etag, /^W\/"[0-9a-f]{32}"$/);
    for (const [known, status] of [
      [etag, 304],
      [`"x", ${etag}`, 304],
      ['*', 304],
      ['W/"x"', 200],
      ['', 200],
    ] as const) {
      const headers = { 'if-none-match': known };
      const again = await app.request('/openapi.json', { headers });
      assert.equal(again.status, status, known);
      assert.equal(again.headers.get('etag'), etag);
      assert.equal((await again.text()) === '', status === 304);
    }
  });
  test('[OA-3] a route that this server does not serve is not in it', async () => {
    const { app } = fakeApp({}, { server_token: null });
    const { paths } = (await (await app.request('/openapi.json')).json()) as typeof DOCUMENT;
    const left = Object.keys(DOCUMENT.paths).filter((path) => paths[path] === undefined);
    assert.deepEqual(left, ['/sync/server/changes']);
    assert.ok(!(await (await app.request('/docs')).text()).includes('/sync/server/changes'));
  });
  test('[OA-3] it is compressed on request, and HEAD has its headers', async () => {
    const { app } = fakeApp();
    const packed = await app.request('/openapi.json', { headers: { 'accept-encoding': 'gzip' } });
    assert.equal(packed.headers.get('content-encoding'), 'gzip');
    const head = await app.request('/openapi.json', { method: 'HEAD' });
    assert.equal(head.headers.get('etag'), packed.headers.get('etag'));
  });
  test('[OA-3] the document is the same for everybody and names no host, setting or secret', async () => {
    const one = await fakeApp().app.request('/openapi.json');
    const token = 'metrics-token-of-this-server';
    const metrics = { text: async () => ({ body: '', type: 'text/plain' }), token };
    const { app } = fakeApp({}, { metrics, cors: ['https://app.internal.example'] });
    const other = await app.request('http://db.internal:8443/openapi.json', {
      headers: { authorization: 'Bearer s1', host: 'db.internal:8443' },
    });
    const text = await other.text();
    assert.equal(text, await one.text());
    const telling = /https?:|:\/\/|localhost|127\.0\.0\.1|(?:app|db)\.internal|metrics-token/;
    assert.equal(telling.exec(text), null);
    for (const { url } of DOCUMENT.servers) assert.match(url, /^\.{0,2}\//);
  });
});

describe('[OA-4] every answer of the HTTP tests is held against the document', () => {
  async function capture(target: string, init: RequestInit = {}): Promise<Answered> {
    const response = await fakeApp().app.request(target, init);
    const headers = Object.fromEntries(response.headers);
    const { status } = response;
    return { method: init.method ?? 'GET', target, status, headers, text: await response.text() };
  }
  const authorization = { authorization: 'Bearer s1' };

  function notices(name: string, why: RegExp, make: () => Promise<Answered>): void {
    test(`[OA-4] ${name} is noticed`, async () => {
      const answered = await make();
      assert.throws(() => assertDescribed(answered), why);
    });
  }
  const changed = (parts: Partial<Answered>) => async () => ({
    ...(await capture('/sync/capabilities', { headers: authorization })),
    ...parts,
  });
  notices('a status that is not listed', /200|201 is not described/, changed({ status: 201 }));
  notices('a body of another shape', /must have required property/, changed({ text: '{}' }));
  notices('another media type', /"text\/html" is not described/, async () => {
    const answered = await changed({})();
    return { ...answered, headers: { ...answered.headers, 'content-type': 'text/html' } };
  });
  notices('a field that nobody described', /must NOT have additional properties/, async () => {
    const answered = await changed({})();
    return { ...answered, text: answered.text.replace('{', '{"more":1,') };
  });
  notices('a missing header', /sync-epoch is missing/, async () => {
    const answered = await changed({})();
    return { ...answered, headers: { ...answered.headers, 'sync-epoch': undefined } };
  });
  notices('a header that is not listed', /x-sync-cursor is not described/, async () => {
    const answered = await changed({})();
    return { ...answered, headers: { ...answered.headers, 'x-sync-cursor': 'c' } };
  });
  notices('a code that the route does not have', /must be equal to one of/, async () => {
    const answered = await capture('/sync/pull', { headers: authorization });
    return { ...answered, text: answered.text.replaceAll('hlc_invalid', 'too_many_changes') };
  });
  notices('a bad line', /must have required property|must NOT have/, async () => {
    const target = '/sync/full?collections=tasks';
    return { ...(await capture(target, { headers: authorization })), text: '{"a":1}\n' };
  });
  notices('a body on HEAD', /no body is described/, async () => ({
    ...(await capture('/healthz', { method: 'HEAD' })),
    text: '{}',
  }));
  notices('a path that answers without a description', /\/nowhere → 200/, async () => ({
    ...(await capture('/healthz')),
    target: '/nowhere',
  }));
});

describe('[OA-5] the shapes', () => {
  test('[OA-5] they carry no marks of the library and no bounds of a double', () => {
    const text = JSON.stringify(DOCUMENT);
    assert.equal(/9007199254740991|\$schema|"\$id"|propertyNames/.exec(text), null);
  });
  test('[OA-5] every shape, field, parameter and header says what it is', () => {
    const silent: string[] = [];
    const look = (schema: JsonSchema, at: string): void => {
      for (const [name, one] of Object.entries(schema.properties ?? {})) {
        if (!one.description) silent.push(`${at}.${name}`);
        look(one.items ?? one, `${at}.${name}`);
      }
    };
    const { schemas, parameters, headers } = DOCUMENT.components;
    for (const [name, schema] of Object.entries(schemas)) {
      if (!schema.description) silent.push(name);
      look(schema, name);
    }
    for (const [name, { description }] of Object.entries({ ...parameters, ...headers })) {
      if (!description) silent.push(name);
    }
    assert.deepEqual(silent, []);
  });
  test('[OA-5] every example is valid, and no shape is closed to fields of later versions', () => {
    const ajv = new Ajv2020({ strict: false, validateSchema: false });
    ajv.addSchema(DOCUMENT, 'openapi.json');
    let examples = 0;
    for (const [name, schema] of Object.entries(DOCUMENT.components.schemas)) {
      assert.notEqual(schema.additionalProperties, false, name);
      const validate = ajv.compile({ $ref: `openapi.json#/components/schemas/${name}` });
      for (const example of (schema['examples'] ?? []) as readonly unknown[]) {
        assert.ok(validate(example), `${name}: ${ajv.errorsText(validate.errors)}`);
        examples += 1;
      }
    }
    assert.ok(examples > 0);
  });
});
