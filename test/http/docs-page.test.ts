import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { ROUTES } from '../../src/http/app.ts';
import { docsPage } from '../../src/http/docs-page.ts';
import { html, prose } from '../../src/http/docs-html.ts';
import { openApiDocument } from '../../src/http/openapi.ts';
import { ERROR_CODES, REJECTION_CODES } from '../../src/protocol/pure/error-codes.ts';
import { fakeApp } from './support/fake-app.ts';

const DOCUMENT = openApiDocument(ROUTES);
const PAGE = docsPage(DOCUMENT);

describe('[OA-6] GET /docs', () => {
  test('[OA-6] it needs no token, is kept by its tag and may do nothing but show itself', async () => {
    const { app } = fakeApp({}, { server_token: 'service' });
    const response = await app.request('/docs');
    const { headers } = response;
    const page = await response.text();
    assert.ok(page === PAGE);
    assert.equal(headers.get('content-type'), 'text/html; charset=utf-8');
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    assert.equal(
      headers.get('content-security-policy'),
      `default-src 'none'; img-src data:; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    const known = { 'if-none-match': headers.get('etag') ?? '' };
    assert.equal((await app.request('/docs', { headers: known })).status, 304);
  });
  test('[OA-6] it asks for nothing: no address, script, frame, form, import or inline style', () => {
    assert.equal(/https?:|(?:href|src)="\/\/|@import|url\(/i.exec(PAGE), null);
    assert.equal(/<(?:script|iframe|object|embed|form|img|base|meta http-equiv)/i.exec(PAGE), null);
    assert.equal(/<[^>]*\s(?:on\w+|style)=/i.exec(PAGE), null);
    const links = [...PAGE.matchAll(/href="([^"]*)"/g)].map(([, target]) => target ?? '');
    const elsewhere = links.filter((target) => !target.startsWith('#'));
    assert.deepEqual([...new Set(elsewhere)].sort(), ['data:,', 'openapi.json']);
  });
  test('[OA-6] every link inside the page has its place, once', () => {
    const places = [...PAGE.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    assert.equal(new Set(places).size, places.length);
    const links = [...PAGE.matchAll(/href="#([^"]*)"/g)].map(([, target]) => target);
    assert.deepEqual(
      links.filter((target) => !places.includes(target)),
      [],
    );
  });
  test('[OA-6] it shows every operation, parameter, shape, field and code', () => {
    for (const { path, about } of ROUTES) {
      assert.ok(PAGE.includes(`id="${about.id}"`), path);
      assert.ok(PAGE.includes(about.summary), path);
    }
    const shapes = Object.entries(DOCUMENT.components.schemas);
    const fields = shapes.flatMap(([, { properties }]) => Object.keys(properties ?? {}));
    const parameters = Object.keys(DOCUMENT.components.parameters);
    for (const name of [...fields, ...parameters, 'since', 'trailer', 'cursor']) {
      assert.ok(PAGE.includes(`<code>${name}</code>`), name);
    }
    for (const [name] of shapes) assert.ok(PAGE.includes(`id="shape-${name}"`), name);
    for (const code of ERROR_CODES) assert.ok(PAGE.includes(`id="error-${code}"`), code);
    for (const code of REJECTION_CODES) assert.ok(PAGE.includes(`id="rejection-${code}"`), code);
  });
  test('[OA-6] its curl lines name the needed parameters, token and body', () => {
    assert.ok(PAGE.includes('/sync/pull?since=19700101T000000.000Z-0000&quot;'));
    assert.ok(PAGE.includes('-H &quot;Authorization: Bearer $TOKEN&quot;'));
    assert.ok(PAGE.includes('-d &#39;{\n  &quot;client_id&quot;: &quot;laptop&quot;'));
  });
});

describe('[OA-7] HTML', () => {
  const hostile = `</code><script>alert("1")</script>' onload='x`;
  test('[OA-7] whatever a document says is text, in every place of the page', () => {
    const { paths, components, info } = DOCUMENT;
    const text = JSON.stringify({ ...DOCUMENT, info: { ...info, title: hostile } });
    const marked = text
      .replaceAll(JSON.stringify('Send local changes'), JSON.stringify(hostile))
      .replaceAll(JSON.stringify('The whole document; dropped on delete'), JSON.stringify(hostile));
    const page = docsPage(JSON.parse(marked));
    assert.ok(Object.keys(paths).length > 0 && Object.keys(components.schemas).length > 0);
    assert.equal(/<script|' onload/.exec(page), null);
    assert.ok(page.split('&lt;script&gt;alert(&quot;1&quot;)').length > 4);
  });
  test('[OA-7] a template escapes values and keeps HTML', () => {
    assert.equal(
      html`<b title="${'"&<>\''}">${html`<i>`}${['<', 1]}</b>`.text,
      '<b title="&quot;&amp;&lt;&gt;&#39;"><i>&lt;1</b>',
    );
    assert.equal(prose('a `<b>`\n\nc').text, '<p>a <code>&lt;b&gt;</code></p><p>c</p>');
  });
});
