/** Whether a parsed request names one host and a target: asked before anybody makes a URL of them. */

import type { IncomingMessage } from 'node:http';

/**
 * One host that is a host, and a target that is a path or an http address. A second Host header is
 * how a request means one thing to a proxy and another here.
 */
export function isUsable(incoming: IncomingMessage): boolean {
  const { rawHeaders, url = '' } = incoming;
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === 'host') hosts += 1;
  }
  if (hosts !== 1) return false;
  const host = incoming.headers.host ?? '';
  if (PLAIN_HOST.test(host) && PLAIN_TARGET.test(url)) return true;
  if (url.includes('\\') || !isHost(host)) return false;
  return URL.canParse(url.startsWith('/') ? `http://${host}${url}` : url);
}

const PLAIN_HOST = /^[a-z0-9._-]+(?::\d{1,5})?$/;
const PLAIN_TARGET = /^\/[\w/?&=.,:%~+-]*$/;

function isHost(host: string): boolean {
  return /^[^\s/?#@\\]+$/.test(host) && URL.canParse(`http://${host}/`);
}
