/** What `serve` shows a person: where it listens, and on a first run a token and commands to try. */

import type { RunningProduct } from '../compose.ts';
import { issueToken } from '../compose-access.ts';
import type { Config } from '../config/finish-config.ts';
import { PACKAGE_VERSION } from '../build-info.ts';
import { maskUrl } from '../config/mask.ts';
import { ZERO_HLC } from '../protocol/pure/hlc.ts';
import { describeStore } from './describe-store.ts';
import type { Output } from './output.ts';

const TOKEN_SECONDS = 86_400;
const FIRST_ACTOR = 'dev';

/** What the banner describes. */
export interface BannerFacts {
  readonly product: RunningProduct;
  readonly config: Config;
  /** No configuration and a key of its own: show how to call it. */
  readonly firstRun: boolean;
}

/** Prints to stderr; left out with --quiet. */
export async function printBanner(output: Output, facts: BannerFacts): Promise<void> {
  const { product, config, firstRun } = facts;
  const { url } = product;
  const names = config.collections.map(({ name }) => name).join(', ');
  const lines = [
    `  listening    ${url}`,
    `  store        ${describeStore(config)}`,
    `  collections  ${names}`,
    `  access       ${describeAccess(config)}`,
    ...(config.push.enabled ? [] : ['  push         OFF: devices may read only']),
    ...(config.server_writes.token === undefined
      ? []
      : [`  back ends    ${url}/sync/server/changes`]),
    `  operations   ${url}/healthz  ${url}/readyz  ${url}/metrics`,
  ];
  if (firstRun) lines.push(...(await firstSteps(url, config)));
  lines.push('', '  stop with Ctrl-C; look at changes with: offline-sync inspect --since 0', '');
  output.title(`offline-sync ${PACKAGE_VERSION}`);
  for (const line of lines) output.info(line);
}

function describeAccess({ auth }: Config): string {
  if (auth.mode === 'none') return 'NONE: every request is accepted';
  const keys = auth.jwks_url === undefined ? '' : `, keys of ${maskUrl(auth.jwks_url)}`;
  return `tokens, ${auth.algorithms.join(', ')}${keys}`;
}

async function firstSteps(url: string, config: Config): Promise<string[]> {
  const { token } = await issueToken(config, {
    actor: FIRST_ACTOR,
    scopes: [],
    claims: {},
    ttl_seconds: TOKEN_SECONDS,
  });
  const [collection = 'tasks'] = config.collections.map(({ name }) => name);
  const change = { collection, doc_id: 't1', operation: 'upsert', data: { title: 'Try it' } };
  const push = JSON.stringify({ client_id: 'laptop', changes: [change] });
  const auth = '-H "Authorization: Bearer $TOKEN"';
  return [
    '',
    '  no configuration: a first run on this machine, kept in the folder above',
    `  token for "${FIRST_ACTOR}", 24 h; more with: offline-sync token --actor <id>`,
    '',
    `TOKEN=${token}`,
    `curl -s ${url}/sync/push ${auth} -H 'Content-Type: application/json' -d '${push}'`,
    `curl -s '${url}/sync/pull?since=${ZERO_HLC}' ${auth}`,
    `curl -s '${url}/sync/full?collections=${collection}' ${auth}`,
    '',
    '  next: offline-sync init --write-config   (a file with every setting explained)',
  ];
}
