import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { consolePage } from '../../src/http/console-page.ts';
import { fakeApp } from './support/fake-app.ts';

const PAGE = consolePage();
const inside = (tag: string) => new RegExp(`<${tag}[^>]*>([\\s\\S]*?)</${tag}>`).exec(PAGE)?.[1];

describe('[CO-1] GET /console', () => {
  test('[CO-1] it needs no token, is kept by its tag, and its policy permits this script and style alone', async () => {
    const { app } = fakeApp();
    const response = await app.request('/console');
    const { headers } = response;
    assert.equal(await response.text(), PAGE);
    assert.equal(headers.get('content-type'), 'text/html; charset=utf-8');
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
    const hash = (text = '') => createHash('sha256').update(text).digest('base64');
    assert.equal(
      headers.get('content-security-policy'),
      `default-src 'none'; connect-src 'self'; img-src data:; script-src 'sha256-${hash(inside('script'))}'; ` +
        `style-src 'sha256-${hash(inside('style'))}'; base-uri 'none'; form-action 'none'; ` +
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    );
    const known = { 'if-none-match': headers.get('etag') ?? '' };
    assert.equal((await app.request('/console', { headers: known })).status, 304);
  });
  test('[CO-1] it has its script, and nothing in the script ends it early', () => {
    const script = inside('script') ?? '';
    assert.ok(script.length > 5_000, 'the build puts the script here');
    assert.ok(Buffer.byteLength(PAGE) < 40_000, 'a small page');
    assert.doesNotMatch(script, /<\/script|<!--/i);
    assert.equal(PAGE.split('</script>').length, 2);
  });
  test('[CO-1] it asks for nothing elsewhere and has nothing inline beside', () => {
    assert.equal(/https?:|(?:href|src)="\/\/|@import|url\(/i.exec(PAGE), null);
    assert.equal(/<[^>]*\s(?:on\w+|style)="/i.exec(PAGE), null);
    const links = [...PAGE.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, target]) => target);
    assert.deepEqual(links, ['data:,', 'docs']);
  });
  test('[CO-4] its script has no way to make HTML of a text, and keeps the token in this tab', () => {
    const script = inside('script') ?? '';
    assert.doesNotMatch(
      script,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(/,
    );
    assert.doesNotMatch(script, /localStorage|document\.cookie|indexedDB|location/);
  });
  test('[CO-1] every input has a label and every region a name', () => {
    const inputs = [...PAGE.matchAll(/<label[^>]*>[^<]*<input|<label[^>]*><input/g)];
    assert.equal(inputs.length, PAGE.split('<input').length - 1);
    const named = [...PAGE.matchAll(/aria-labelledby="([^"]*)"/g)].map(([, id]) => id);
    assert.ok(named.length > 0 && named.every((id) => PAGE.includes(`id="${id}"`)));
  });
});
