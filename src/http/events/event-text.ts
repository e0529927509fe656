/** Server-sent events as text. Data is JSON on one line, so nothing in a document can end an event. */

import type { ChangeFrame } from '../../core/ports/live.ts';
import type { EventType } from '../../protocol/events.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';

const encoder = new TextEncoder();

/** A comment that keeps the connection. */
export const HEARTBEAT = encoder.encode(':\n\n');
/** The same for clients that look for events. */
export const PING_EVENT = eventBytes('ping', {});

/** An event; `id` is the place from which a client that saw it goes on. */
export function eventBytes(type: EventType, data: object, id?: Hlc): Uint8Array {
  const place = id === undefined ? '' : `id: ${id}\n`;
  return encoder.encode(`event: ${type}\n${place}data: ${JSON.stringify(data)}\n\n`);
}

/** How long the client waits before it opens the stream again. */
export function retryBytes(ms: number): Uint8Array {
  return encoder.encode(`retry: ${ms}\n\n`);
}

/** A row: its JSON was made by `JSON.stringify` and has no raw line end. */
export function changeBytes({ row, json }: ChangeFrame): Uint8Array {
  return encoder.encode(`event: change\nid: ${row.version}\ndata: ${json}\n\n`);
}
