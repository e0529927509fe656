/**
 * Checks an answer against the OpenAPI document: status, headers, media type, body and error code must
 * be listed for its operation. Objects are closed here, so that a field nobody described is found;
 * in the document they are open, because a later server may send more.
 */

import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { ROUTES } from '../../../src/http/app.ts';
import { openApiDocument } from '../../../src/http/openapi.ts';
import type {
  DescribedParameter,
  DescribedResponse,
  MediaType,
  Operation,
  Ref,
} from '../../../src/http/openapi-document.ts';
import type { JsonSchema } from '../../../src/protocol/wire-schemas.ts';
import { readEvents } from './event-reader.ts';

/** An answer and what it answers. Header names are in lower case. */
export interface Answered {
  readonly method: string;
  /** Path and query, or an address. */
  readonly target: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The body, unpacked. */
  readonly text: string;
}

const DOCUMENT = openApiDocument(ROUTES);
const NAME = 'openapi.json';
/** Headers that must be described wherever they are sent. */
const OURS = /^(sync-|x-sync-|x-request-id$|etag$|retry-after$|allow$|www-authenticate$)/;

const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
ajv.addSchema(closed(DOCUMENT) as object, NAME);

/** Fails with the place and the reason when the document does not describe the answer. */
export function assertDescribed(answered: Answered): void {
  const { method, target, status, text } = answered;
  const { place, response } = findResponse(answered);
  const about = `${method} ${target.slice(0, 120)} → ${status} (${place})`;
  const content = response.content ?? {};
  const isEmpty = method === 'HEAD' || Object.keys(content).length === 0;
  checkHeaders(answered, response, about);
  if (isEmpty) {
    assert.equal(text, '', `${about}: no body is described`);
    return;
  }
  const type = (answered.headers['content-type'] ?? '').split(';', 1)[0] ?? '';
  const media = content[type] ?? assert.fail(`${about}: the type "${type}" is not described`);
  checkBody(text, media, { type, at: `${place}/content/${escaped(type)}`, about });
}

/** One value, a value per line, or the data of each event. */
function checkBody(
  text: string,
  media: MediaType,
  { type, at, about }: { type: string; at: string; about: string },
): void {
  if (media['x-event-schemas'] !== undefined) {
    for (const { event, data } of readEvents(text)) {
      if (event !== undefined) checkValue(data, `${at}/x-event-schemas/${event}`, about);
    }
  } else if (media['x-line-schema'] !== undefined) {
    const lines = text.split('\n').slice(0, -1);
    assert.ok(text === '' || text.endsWith('\n'), `${about}: the last line has no end`);
    for (const line of lines) checkValue(JSON.parse(line), `${at}/x-line-schema`, about);
  } else {
    checkValue(/json$/.test(type) ? JSON.parse(text) : text, `${at}/schema`, about);
  }
}

/** The response of the operation, or the one outside of operations; its place is a JSON pointer. */
function findResponse(answered: Answered): { place: string; response: DescribedResponse } {
  const { method, status, text } = answered;
  const path = pathOf(answered.target);
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
  const operation: Operation | undefined = DOCUMENT.paths[path]?.[verb];
  // "-" says that no request could be read, whatever the bytes looked like; `not_found` that the
  // route is not served by this application.
  const isOutside = text.includes('"request_id":"-"') || text.includes('"error":"not_found"');
  const isRouted = operation !== undefined && !isOutside;
  const responses = isRouted ? operation.responses : DOCUMENT['x-outside-operations'];
  const place = isRouted
    ? `#/paths/${escaped(path)}/${verb}/responses/${status}`
    : `#/x-outside-operations/${status}`;
  const found = responses[status] ?? assert.fail(`${method} ${path} → ${status} is not described`);
  return '$ref' in found
    ? { place: found.$ref, response: resolve<DescribedResponse>(found) }
    : { place, response: found };
}

function pathOf(target: string): string {
  const path = target.replace(/^https?:\/\/[^/]*/i, '');
  return path.split('?', 1)[0] ?? '';
}

/** HEAD has the headers of every answer only: it reads nothing. */
function checkHeaders(
  { method, headers }: Answered,
  response: DescribedResponse,
  about: string,
): void {
  const isPage = (name: string) => name.startsWith('sync-head') || name.startsWith('x-sync-');
  const described = new Map(
    Object.entries(response.headers).map(([name, ref]) => [
      name.toLowerCase(),
      resolve<DescribedParameter>(ref),
    ]),
  );
  for (const [name, { required, schema }] of described) {
    const value = headers[name];
    if (value === undefined) {
      const mayMiss = !required || (method === 'HEAD' && isPage(name));
      assert.ok(mayMiss, `${about}: the header ${name} is missing`);
    } else {
      const isNumber = schema.type === 'integer';
      assert.ok(!isNumber || /^\d+$/.test(value), `${about}: ${name}: ${value}`);
      const validate = ajv.compile(schema as object);
      assert.ok(validate(isNumber ? Number(value) : value), `${about}: ${name}: ${value}`);
    }
  }
  for (const name of Object.keys(headers)) {
    if (OURS.test(name)) assert.ok(described.has(name), `${about}: ${name} is not described`);
  }
}

function checkValue(value: unknown, place: string, about: string): void {
  const validate = validatorAt(place);
  assert.ok(validate(value), `${about}: ${ajv.errorsText(validate.errors, { separator: '\n' })}`);
}

const validators = new Map<string, ValidateFunction>();

function validatorAt(place: string): ValidateFunction {
  const known = validators.get(place);
  if (known !== undefined) return known;
  const made = ajv.compile({ $ref: `${NAME}${place}` });
  validators.set(place, made);
  return made;
}

function resolve<Value>(value: Ref): Value {
  return value.$ref
    .split('/')
    .slice(1)
    .reduce<unknown>((level, step) => (level as Record<string, unknown>)[step], DOCUMENT) as Value;
}

/** As a step of a JSON pointer inside a URI. */
function escaped(step: string): string {
  return encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'));
}

/** The same with every described object closed; beside a `$ref` the object stands elsewhere. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, closed(one)]));
  const { properties, additionalProperties, $ref } = value as JsonSchema;
  const isObject = properties !== undefined && (value as JsonSchema).type === 'object';
  const isOpen = isObject && additionalProperties === undefined && $ref === undefined;
  return isOpen ? { ...copy, additionalProperties: false } : copy;
}
