/** Numbers and readers as people read them. */

/** One entry of `/sync/subscribers`. */
export interface ShownReader {
  readonly subscription_id: string;
  readonly transport: string;
  readonly mode: string;
  readonly actor_id: string;
  readonly client_id: string | null;
  readonly collections: readonly string[];
  readonly state: string;
  readonly position: string | null;
  readonly behind_rows: number | null;
  readonly buffered_bytes: number;
  readonly stalled_ms: number;
  readonly sent: number;
  readonly since_ms: number;
}

/** Bytes in the largest unit that leaves a number over 1. */
export function bytesText(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  if (bytes < 1_048_576) return `${(bytes / 1_024).toFixed(1)} KiB`;
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

/** A duration, coarse. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  return `${Math.floor(ms / 3_600_000)} h`;
}

/** Cells of a reader by their heading. */
export function readerCells(reader: ShownReader) {
  const { client_id, actor_id, transport, mode, state, behind_rows, buffered_bytes, sent } = reader;
  return {
    client: client_id ?? '-',
    actor: actor_id,
    by: `${transport}, ${mode}`,
    state,
    behind: behind_rows === null ? '-' : String(behind_rows),
    waiting: bytesText(buffered_bytes),
    sent: String(sent),
  };
}

/** What there is to know about the queue of one reader. */
export function queueFacts(reader: ShownReader, now_ms: number) {
  const { behind_rows, buffered_bytes, stalled_ms, position, collections, since_ms } = reader;
  return {
    'rows behind': behind_rows === null ? 'not known yet' : String(behind_rows),
    'bytes written and not taken': bytesText(buffered_bytes),
    'taking nothing for': stalled_ms === 0 ? '-' : durationText(stalled_ms),
    'everything written up to': position ?? 'not known yet',
    collections: collections.join(', ') || '-',
    'connected for': durationText(Math.max(0, now_ms - since_ms)),
    subscription: reader.subscription_id,
  };
}

/** A document as text; what is no JSON is shown as it came. */
export function documentText(data: unknown): string {
  return JSON.stringify(data, null, 2) ?? '';
}
