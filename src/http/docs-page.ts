/** The page at /docs: the OpenAPI document for people. No script, no font, no request to anywhere. */

import type { Crypto } from '../core/ports/system.ts';
import type { JsonSchema } from '../protocol/wire-schemas.ts';
import { type Html, Html as RawHtml, html, inline, prose } from './docs-html.ts';
import { fieldRow, propertyTable, typeName } from './docs-schema.ts';
import { DOCS_STYLE } from './docs-style.ts';
import type {
  DescribedParameter,
  DescribedResponse,
  MediaType,
  OpenApiDocument,
  Operation,
  Ref,
} from './openapi-document.ts';

interface Endpoint {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}

/** What the page may do: show itself in its own style, and nothing else. */
export function docsPolicy(crypto: Pick<Crypto, 'sha256'>): string {
  const hash = Buffer.from(crypto.sha256(DOCS_STYLE), 'hex').toString('base64');
  return `default-src 'none'; img-src data:; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}

/** The whole page. */
export function docsPage(document: OpenApiDocument): string {
  const { info } = document;
  const endpoints = endpointsOf(document);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${info.title} API</title>
<link rel="icon" href="data:,">
<style>${new RawHtml(DOCS_STYLE)}</style>
</head>
<body>
<a class="skip" href="#top">To the content</a>
<div class="frame">
${navigation(document, endpoints)}
<main id="top">
<h1>${info.title} API <small>protocol ${info.version}</small></h1>
${prose(info.description)}
<p><a href="openapi.json">openapi.json</a> has the same for tools. The examples use <code>$URL</code>, where this
server is, and <code>$TOKEN</code>, for example from <code>offline-sync token</code>.</p>
${document.tags.map(
  ({ name, description }) => html`<h2 id="tag-${name}">${name}</h2>
<p>${description}.</p>
${endpoints.filter(({ operation }) => operation.tags.includes(name)).map((one) => article(document, one))}`,
)}
${outside(document)}
${shapes(document)}
${codes(document)}
<footer>Made from the route table and the wire shapes of this server.</footer>
</main>
</div>
</body>
</html>
`;
  return page.text;
}

function endpointsOf({ paths }: OpenApiDocument): readonly Endpoint[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ path, method, operation })),
  );
}

function navigation(document: OpenApiDocument, endpoints: readonly Endpoint[]): Html {
  const names = Object.keys(document.components.schemas);
  return html`<nav aria-label="Contents">
<a class="brand" href="#top">${document.info.title}</a>
${document.tags.map(
  ({ name }) => html`<h2>${name}</h2>
<ul>${endpoints
    .filter(({ operation }) => operation.tags.includes(name))
    .map(
      ({ method, path, operation }) =>
        html`<li><a href="#${operation.operationId}">${verb(method)} ${path}</a></li>`,
    )}</ul>`,
)}
<h2>Reference</h2>
<ul><li><a href="#error-codes">Error codes</a></li><li><a href="#rejection-codes">Rejection codes</a></li>
<li><a href="#outside">Outside operations</a></li></ul>
<h2>Shapes</h2>
<ul>${names.map((name) => html`<li><a href="#shape-${name}">${name}</a></li>`)}</ul>
</nav>`;
}

function verb(method: string): Html {
  return html`<span class="verb ${method}">${method.toUpperCase()}</span>`;
}

function article(document: OpenApiDocument, { path, method, operation }: Endpoint): Html {
  const responses = Object.entries(operation.responses);
  const isGood = ([status]: readonly [string, unknown]) => Number(status) < 400;
  const failures = responses.filter((one) => !isGood(one));
  return html`<article id="${operation.operationId}">
<div class="line"><h3>${verb(method)} ${path}</h3><span class="summary">${operation.summary}</span>
<small class="lock">${access(operation)}</small></div>
${prose(operation.description)}
${parameters(document, operation)}
${requestBody(operation)}
<h4>Answers</h4>
${responseTable(document, responses.filter(isGood))}
<details><summary>Failures: ${failures.map(([status]) => status).join(', ')}</summary>
${responseTable(document, failures)}</details>
<details><summary>Try it with curl</summary>
<pre><code>${curlExample(document, { path, method, operation })}</code></pre></details>
</article>`;
}

function access({ security }: Operation): string {
  if (security.some((one) => 'bearer' in one)) return 'bearer token';
  if (security.some((one) => 'service' in one)) return "back end's token";
  return security.length > 0 ? 'bearer token where configured' : 'no token';
}

/** The query in full; headers are much the same everywhere and stay folded. */
function parameters(document: OpenApiDocument, operation: Operation): Html {
  const all = operation.parameters.map((one) => resolve<DescribedParameter>(document, one));
  const named = (place: string) =>
    all.filter((one) => one.in === place).map((one) => [one.name ?? '', one] as const);
  const query = named('query');
  const headers = named('header');
  const names = headers.map(([name]) => name).join(', ');
  return html`${query.length === 0 ? '' : html`<h4>Query</h4>${fieldTable(query)}`}
<details><summary>Request headers: ${names}</summary>${fieldTable(headers)}</details>`;
}

function requestBody({ requestBody }: Operation): Html {
  if (requestBody === undefined) return html``;
  return html`<h4>Body</h4>${Object.entries(requestBody.content).map(
    ([type, { schema }]) => html`<p>${typeName(schema)} as <code>${type}</code></p>`,
  )}`;
}

function fieldTable(rows: readonly (readonly [string, DescribedParameter])[]): Html {
  return html`<div class="scroll"><table class="fields"><tbody>${rows.map(
    ([name, { required, schema, description }]) =>
      fieldRow(name, required, description === undefined ? schema : { ...schema, description }),
  )}</tbody></table></div>`;
}

function responseTable(
  document: OpenApiDocument,
  responses: readonly (readonly [string, DescribedResponse | Ref])[],
): Html {
  return html`<div class="scroll"><table><tbody>${responses.map(([status, one]) => {
    const response = resolve<DescribedResponse>(document, one);
    const isBad = Number(status) >= 400;
    const headers = Object.keys(response.headers).filter(
      (name) => !isOnEveryAnswer(document, name),
    );
    return html`<tr><th scope="row"><span class="status ${isBad ? 'bad' : ''}">${status}</span></th>
<td>${prose(response.description)}${isBad ? '' : bodies(response)}
${headers.length === 0 ? '' : html`<p><small>Headers: </small>${headers.map((name) => html`<code>${name}</code> `)}</p>`}</td></tr>`;
  })}</tbody></table></div>`;
}

/** Headers that the answer to `/` has too say nothing about an operation. */
function isOnEveryAnswer(document: OpenApiDocument, name: string): boolean {
  const plain = document.paths['/']?.['get']?.responses['200'];
  return plain !== undefined && name in resolve<DescribedResponse>(document, plain).headers;
}

function bodies({ content = {} }: DescribedResponse): Html {
  return html`${Object.entries(content).map(([type, media]) => html`<p>${bodyType(media)} as <code>${type}</code></p>`)}`;
}

function bodyType(media: MediaType): Html {
  const { schema, 'x-line-schema': line, 'x-event-schemas': events } = media;
  if (events !== undefined) {
    const names = Object.entries(events);
    return html`Events ${names.map(([name, data]) => html`<code>${name}</code> (${typeName(data)}) `)}`;
  }
  return line === undefined ? typeName(schema) : html`Lines of ${typeName(line)}`;
}

function curlExample(document: OpenApiDocument, { path, method, operation }: Endpoint): string {
  const query = operation.parameters
    .map((one) => resolve<DescribedParameter>(document, one))
    .filter((one) => one.in === 'query' && one.required)
    .map(({ name, schema }) => `${name}=${exampleOf(schema) ?? name}`);
  const target = `"$URL${path}${query.length === 0 ? '' : `?${query.join('&')}`}"`;
  const parts = [`curl -s ${target}`];
  const token = tokenName(operation);
  if (token !== undefined) parts.push(`-H "Authorization: Bearer $${token}"`);
  const [type, body] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  if (type !== undefined && body !== undefined) {
    const example = exampleOf(resolve<JsonSchema>(document, body.schema as JsonSchema | Ref)) ?? {};
    parts.push(`-H 'Content-Type: ${type}'`, `-d '${JSON.stringify(example, null, 2)}'`);
  }
  if (method !== 'get' && body === undefined) parts.push(`-X ${method.toUpperCase()}`);
  return parts.join(' \\\n  ');
}

function tokenName({ security }: Operation): string | undefined {
  const [scheme] = security.flatMap((one) => Object.keys(one));
  if (scheme === undefined) return undefined;
  return scheme === 'bearer' ? 'TOKEN' : `${scheme.toUpperCase()}_TOKEN`;
}

function exampleOf({ examples }: JsonSchema): unknown {
  return Array.isArray(examples) ? examples[0] : undefined;
}

function outside(document: OpenApiDocument): Html {
  return html`<h2 id="outside">Outside operations</h2>
<p>What unknown paths and methods, preflights, and bytes that are no request are answered.</p>
${responseTable(document, Object.entries(document['x-outside-operations']))}`;
}

function shapes({ components }: OpenApiDocument): Html {
  return html`<h2>Shapes</h2>
<p>Readers must ignore fields that they do not know.</p>
${Object.entries(components.schemas).map(
  ([name, schema]) => html`<article id="shape-${name}"><h3>${name}</h3>
${schema.description === undefined ? '' : prose(schema.description)}
<div class="scroll">${propertyTable(schema)}</div></article>`,
)}`;
}

function codes(document: OpenApiDocument): Html {
  const errors = Object.entries(document['x-error-codes']);
  const rejections = Object.entries(document['x-rejection-codes']);
  return html`<h2 id="error-codes">Error codes</h2>
<p>Of requests that failed, in <code>error</code>. Recovery is what a client does that does not know the code.</p>
<div class="scroll"><table><thead><tr><th scope="col">Code</th><th scope="col">Status</th><th scope="col">Recovery</th><th scope="col">Meaning</th></tr></thead>
<tbody>${errors.map(
    ([code, { status, recovery, message }]) =>
      html`<tr id="error-${code}"><th scope="row"><code>${code}</code></th><td>${status}</td><td>${recovery}</td><td>${inline(message)}</td></tr>`,
  )}</tbody></table></div>
<h2 id="rejection-codes">Rejection codes</h2>
<p>Of changes that were refused, in <code>results[].code</code> inside a 200.</p>
<div class="scroll"><table><thead><tr><th scope="col">Code</th><th scope="col">Again?</th><th scope="col">Meaning</th></tr></thead>
<tbody>${rejections.map(
    ([code, { permanent, message }]) =>
      html`<tr id="rejection-${code}"><th scope="row"><code>${code}</code></th><td>${permanent ? 'never' : 'may succeed'}</td><td>${inline(message)}</td></tr>`,
  )}</tbody></table></div>`;
}

/** A component behind its reference, or the value itself. */
function resolve<Value extends object>(document: OpenApiDocument, value: Value | Ref): Value {
  if (!('$ref' in value) || typeof value.$ref !== 'string') return value as Value;
  const steps = value.$ref.split('/').slice(1);
  return steps.reduce<unknown>(
    (level, step) => (level as Record<string, unknown>)[step],
    document,
  ) as Value;
}
