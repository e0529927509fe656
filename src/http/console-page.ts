/** The page at /console: live changes of a scope and who reads them. It asks this server and nobody else. */

import type { Crypto } from '../core/ports/system.ts';
import { CONSOLE_STYLE } from './console-style.ts';
import { Html, html } from './docs-html.ts';

/** The bundle of `src/console/main.ts`, put here by the build; absent when the source runs unbuilt. */
declare const __CONSOLE_SCRIPT__: string | undefined;

const SCRIPT = typeof __CONSOLE_SCRIPT__ === 'string' ? __CONSOLE_SCRIPT__ : '';

/** What the page may do: run its own script in its own style, and ask the server it came from. */
export function consolePolicy({ sha256 }: Pick<Crypto, 'sha256'>): string {
  const hash = (text: string) => `'sha256-${Buffer.from(sha256(text), 'hex').toString('base64')}'`;
  return [
    "default-src 'none'",
    "connect-src 'self'",
    'img-src data:',
    `script-src ${hash(SCRIPT)}`,
    `style-src ${hash(CONSOLE_STYLE)}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

/** The whole page; the same for everybody. */
export function consolePage(): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>offline-sync console</title>
<link rel="icon" href="data:,">
<style>${new Html(CONSOLE_STYLE)}</style>
</head>
<body>
<header>
<h1>offline-sync console</h1>
<span id="state" role="status" data-kind="idle">idle</span>
<p id="message" role="alert"></p>
</header>
<main>
<noscript><p>This page needs its script. The API is described at <a href="docs">/docs</a>.</p></noscript>
<form id="access">
<label class="wide">Token <input id="token" type="password" autocomplete="off" spellcheck="false" autofocus></label>
<label>Scope, if the token holds several <input id="scope" type="text" autocomplete="off" spellcheck="false"></label>
<label class="check"><input id="history" type="checkbox"> with earlier changes</label>
<button class="main" type="submit">Connect</button>
<button id="leave" type="button" hidden>Disconnect</button>
</form>
<section aria-labelledby="changes-title">
<div class="title"><h2 id="changes-title">Changes</h2><small id="change-count"></small></div>
<div class="scroll"><table id="changes" aria-labelledby="changes-title"><thead></thead><tbody></tbody></table>
<p class="empty">Nothing yet. What is committed in this scope appears here.</p></div>
</section>
<section aria-labelledby="readers-title">
<div class="title"><h2 id="readers-title">Connected clients</h2><small id="reader-count"></small></div>
<div class="scroll"><table id="readers" aria-labelledby="readers-title"><thead></thead><tbody></tbody></table>
<p class="empty" id="no-readers">Not known until a server answers.</p></div>
<div id="queue" aria-live="off"></div>
</section>
<section aria-labelledby="scope-title">
<div class="title"><h2 id="scope-title">Scope</h2></div>
<div id="scope-state"></div>
</section>
</main>
<script type="module">${new Html(SCRIPT)}</script>
</body>
</html>
`.text;
}
