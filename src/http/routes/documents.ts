/** Pages for people: the OpenAPI document, the page that shows it, and the console. */

import { replyText } from '../compressed.ts';
import { consolePage, consolePolicy } from '../console-page.ts';
import { docsPage, docsPolicy } from '../docs-page.ts';
import { type Exchange, type HeaderMap, reply } from '../exchange.ts';
import { openApiDocument } from '../openapi.ts';
import { isKnown } from '../middleware/if-none-match.ts';
import { type AppOptions, type PublicRoute, type Route, servedRoutes } from '../route.ts';
import type { DescribedAnswer } from '../route-description.ts';

/** GET /openapi.json. The table is asked for when the first request comes: it holds this route. */
export function openApiRoute(routes: () => readonly Route[]): PublicRoute {
  const document = oncePerApp((options) =>
    JSON.stringify(openApiDocument(servedRoutes(routes(), options))),
  );
  return {
    method: 'GET',
    path: '/openapi.json',
    auth: false,
    about: {
      id: 'openapi',
      tag: 'Operations',
      summary: 'This description',
      text: 'OpenAPI 3.1. The same for every caller; it names no host and no limit of the deployment.',
      answers: [
        { status: 200, text: 'The document', type: 'application/json', headers: ['ETag'] },
        { status: 304, text: 'The caller has it', headers: ['ETag'] },
      ],
      errors: [],
    },
    handle: (exchange, options) =>
      replyKept(exchange, options, {
        text: document(options),
        headers: { 'Content-Type': 'application/json' },
      }),
  };
}

/** Of a page that callers keep. */
const PAGE_ANSWERS: readonly DescribedAnswer[] = [
  {
    status: 200,
    text: 'The page',
    type: 'text/html',
    headers: ['ETag', 'Content-Security-Policy'],
  },
  { status: 304, text: 'The caller has it', headers: ['ETag'] },
];

/** GET /docs: the document as a page without scripts and without a request to anywhere. */
export function docsRoute(routes: () => readonly Route[]): PublicRoute {
  const page = oncePerApp((options) => docsPage(openApiDocument(servedRoutes(routes(), options))));
  return {
    method: 'GET',
    path: '/docs',
    auth: false,
    about: {
      id: 'docs',
      tag: 'Operations',
      summary: 'This description as a page',
      text: 'One HTML page that works without internet and without scripts.',
      answers: PAGE_ANSWERS,
      errors: [],
    },
    handle: (exchange, options) =>
      replyKept(exchange, options, {
        text: page(options),
        headers: {
          'Content-Type': 'text/html; charset=utf-8',
          'Content-Security-Policy': docsPolicy(options.crypto),
          'Referrer-Policy': 'no-referrer',
        },
      }),
  };
}

/** GET /console: live changes of the caller's scope; the page itself knows nothing and asks for a token. */
export const consoleRoute: PublicRoute = {
  method: 'GET',
  path: '/console',
  auth: false,
  about: {
    id: 'console',
    tag: 'Operations',
    summary: 'Live changes in a browser',
    text: 'One HTML page that works without internet. It asks for a token and shows with it what that token may see: `/sync/events`, `/sync/subscribers` and `/sync/status`.',
    answers: PAGE_ANSWERS,
    errors: [],
  },
  handle: (exchange, options) =>
    replyKept(exchange, options, {
      text: consolePage(),
      headers: {
        'Content-Type': 'text/html; charset=utf-8',
        'Content-Security-Policy': consolePolicy(options.crypto),
        'Referrer-Policy': 'no-referrer',
      },
    }),
};

/**
 * Answers with a text that changes with the version of the server only: callers keep it and ask
 * whether it is still current. The tag is weak because gzip has other bytes.
 */
async function replyKept(
  exchange: Exchange,
  { crypto }: AppOptions,
  { text, headers }: { text: string; headers: HeaderMap },
): Promise<Response> {
  const ETag = `W/"${crypto.sha256(text).slice(0, 32)}"`;
  const kept = { 'Cache-Control': 'no-cache', ETag };
  if (isKnown(exchange, ETag)) {
    return reply(exchange, { status: 304, body: null, headers: kept });
  }
  return replyText(exchange, text, { ...headers, ...kept });
}

/** Made for the first request: which routes an application serves never changes. */
function oncePerApp(make: (options: AppOptions) => string): (options: AppOptions) => string {
  const made = new WeakMap<AppOptions, string>();
  return (options) => {
    const text = made.get(options) ?? make(options);
    made.set(options, text);
    return text;
  };
}
