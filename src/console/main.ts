/** The script of `/console`: a token, then what happens in its scope, as long as the page is open. */

import { ChangeTable, type ChangeRow } from './change-table.ts';
import { byId, factList } from './elements.ts';
import type { StreamEvent } from './event-parser.ts';
import { followTail, type TailState } from './follow.ts';
import { durationText, type ShownReader } from './format.ts';
import { judgeAnswer } from './refusal.ts';
import { ReaderTable } from './reader-table.ts';

const POLL_MS = 2_000;
const START = '19700101T000000.000Z-0000';
/** A server that does not answer for so long is not there. */
const POLL_LIMIT_MS = 10_000;
/** Where this tab keeps the token, so that a reload does not ask again; other tabs do not see it. */
const KEPT = 'offline-sync.console';

const form = byId<HTMLFormElement>('access');
const token = byId<HTMLInputElement>('token');
const scope = byId<HTMLInputElement>('scope');
const history = byId<HTMLInputElement>('history');
const state = byId('state');
const message = byId('message');
const changes = new ChangeTable();
const readers = new ReaderTable();
let running: AbortController | undefined;

form.addEventListener('submit', (event) => {
  event.preventDefault();
  connect();
});
byId('leave').addEventListener('click', () => {
  sessionStorage.removeItem(KEPT);
  token.value = '';
  stop();
  showState({ kind: 'stopped', text: 'Disconnected.' });
  token.focus();
});
restore();

function restore(): void {
  const kept = sessionStorage.getItem(KEPT);
  if (kept === null) return;
  const known = JSON.parse(kept) as { token: string; scope: string };
  token.value = known.token;
  scope.value = known.scope;
  connect();
}

function connect(): void {
  stop();
  changes.clear();
  readers.clear();
  const access = { token: token.value.trim(), scope: scope.value.trim() };
  sessionStorage.setItem(KEPT, JSON.stringify(access));
  const control = new AbortController();
  running = control;
  const headers = {
    ...(access.token === '' ? {} : { Authorization: `Bearer ${access.token}` }),
    ...(access.scope === '' ? {} : { 'Sync-Scope': encodeURIComponent(access.scope) }),
  };
  const path = 'sync/events?data=1&client_id=console';
  const since = history.checked ? START : undefined;
  const ports = { fetch: ask, sleep, random, event: showEvent, state: showState };
  void followTail({ path, since, headers }, ports, control.signal);
  void pollReaders(headers, control.signal);
}

function stop(): void {
  running?.abort();
  running = undefined;
}

function showEvent({ type, data }: StreamEvent): void {
  if (type === 'change') changes.add(JSON.parse(data) as ChangeRow);
  if (type === 'full_resync_required') {
    const { reason } = JSON.parse(data) as { reason: string };
    changes.note(`Earlier rows are not kept any more (${reason}); new ones follow.`);
  }
}

function showState(now: TailState): void {
  const text = 'text' in now ? now.text : '';
  const wait = now.kind === 'disconnected' ? ` Trying again ${whenText(now.ms)}.` : '';
  state.textContent = now.kind;
  state.dataset['kind'] = now.kind;
  message.textContent = `${text}${wait}`;
  byId('leave').hidden = now.kind === 'refused' || now.kind === 'stopped';
  if (now.kind !== 'refused' && now.kind !== 'stopped') return;
  stop();
  readers.clear();
  byId('scope-state').replaceChildren();
  if (now.kind !== 'refused') return;
  // What was refused is not sent again after a reload.
  sessionStorage.removeItem(KEPT);
  token.value = '';
  token.focus();
}

function whenText(ms: number): string {
  return ms === 0 ? 'now' : `in ${durationText(ms)}`;
}

/** Readers and status, while the page is looked at. */
async function pollReaders(
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    if (document.visibilityState === 'visible') {
      await pollOnce(headers, signal).catch(() => signal.aborted || showUnknown());
    }
    await sleep(POLL_MS, signal);
  }
}

/** What was said before may not be so any more: it is not shown as if it were. */
function showUnknown(): void {
  readers.forget();
  byId('scope-state').replaceChildren();
}

async function pollOnce(
  headers: Readonly<Record<string, string>>,
  stopped: AbortSignal,
): Promise<void> {
  const signal = AbortSignal.any([stopped, AbortSignal.timeout(POLL_LIMIT_MS)]);
  const [listed, status] = await Promise.all([
    ask('sync/subscribers', { headers, signal }),
    ask('sync/status', { headers, signal }),
  ]);
  if (listed.status !== 200) {
    const refusal = await judgeAnswer(listed);
    if (stopped.aborted) return;
    if (refusal.next === 'token') showState({ kind: 'refused', text: refusal.text });
    else showUnknown();
    return;
  }
  const { subscribers } = (await listed.json()) as { subscribers: readonly ShownReader[] };
  if (stopped.aborted) return;
  readers.show(subscribers, Date.now());
  if (status.status === 200) showStatus((await status.json()) as Record<string, unknown>);
}

function showStatus(status: Readonly<Record<string, unknown>>): void {
  const { head_version, head_bundle_seq, floor_version, server_timestamp } = status;
  byId('scope-state').replaceChildren(
    factList({
      'newest version': String(head_version),
      'newest bundle': String(head_bundle_seq),
      'first kept row': String(floor_version ?? '-'),
      'time of the server': String(server_timestamp),
    }),
  );
}

function ask(path: string, init: RequestInit): Promise<Response> {
  return fetch(path, init);
}

function random(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32;
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
