/**
 * What other programs and pushes did to the same documents, as the database itself tells it, and
 * whether the log of the engine owes anybody an entry. Contents are unique texts: `f…` is the
 * application's, `p…` a device's.
 */

import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Document, MongoClient } from 'mongodb';
import type { StoredRow, StoredState } from './stored-state.ts';

/** What the writing process is told. */
export interface WriterOrder {
  readonly uri: string;
  readonly name: string;
  /** Keeps contents apart from those of another run. */
  readonly run: number;
  readonly seed: number;
  readonly writes: number;
  readonly documents: number;
  readonly lanes: number;
  readonly pause_ms: number;
  readonly collections: readonly string[];
  readonly teams: readonly string[];
}

/** Whose deletes a document may meet, so that a deletion tells who made it. */
export function mayDelete(who: 'application' | 'device', at: number): boolean {
  return at % 4 < 2 === (who === 'application');
}

/** Runs the writing process to its end. Resolves with the number of writes that took effect. */
export async function runWriter(order: WriterOrder): Promise<number> {
  const entry = fileURLToPath(new URL('./foreign-writer.entry.js', import.meta.url));
  const child = spawn(process.execPath, [entry, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`the writer ended with ${code}`);
  return (JSON.parse(text) as { effective: number }).effective;
}

/** One content of a document that another one, or nothing, replaced. */
interface Replaced {
  readonly place: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** Records what happens to documents, in the order of the commits. */
export class ChangeRecorder {
  readonly #client: MongoClient;
  readonly #replaced: Replaced[] = [];
  readonly #contents = new Map<string, string>();
  #over = false;
  #reading: Promise<void> = Promise.resolve();

  private constructor(client: MongoClient) {
    this.#client = client;
  }

  static async start(uri: string, name: string, collections: readonly string[]) {
    const recorder = new ChangeRecorder(new MongoClient(uri));
    const match = { $match: { 'ns.coll': { $in: [...collections] } } };
    const stream = recorder.#client.db(name).watch([match], { maxAwaitTimeMS: 100 });
    recorder.#note(await stream.tryNext());
    recorder.#reading = (async () => {
      // The last look comes after the end was asked for: it sees what was written before.
      for (let event: Document | null = {}; event !== null || !recorder.#over; ) {
        event = await stream.tryNext();
        recorder.#note(event);
      }
      await stream.close();
    })();
    recorder.#reading.catch(() => undefined);
    return recorder;
  }

  /** Everything that was replaced until now. */
  async finish(): Promise<readonly Replaced[]> {
    this.#over = true;
    await this.#reading;
    await this.#client.close();
    return this.#replaced;
  }

  #note(event: Document | null): void {
    if (event === null) return;
    const place = `${event['ns'].coll}/${event['documentKey']?._id}`;
    const before = this.#contents.get(place) ?? null;
    const whole = event['fullDocument']?.content;
    const part = event['updateDescription']?.updatedFields?.content;
    const after = event['operationType'] === 'delete' ? null : (whole ?? part ?? before);
    if (after === null) this.#contents.delete(place);
    else this.#contents.set(place, after);
    if (after !== before) this.#replaced.push({ place, before, after });
  }
}

const FAULTS_NAMED = 20;

/** Where the log says less, or more, than it owes. */
export function foreignFaults(
  { rows, documents }: StoredState,
  replaced: readonly Replaced[],
): string[] {
  const byContent = new Map<string, StoredRow[]>();
  for (const row of rows) {
    const content = contentOf(row.data);
    if (content !== null) byContent.set(content, [...(byContent.get(content) ?? []), row]);
  }
  const logged = (content: string) => byContent.get(content)?.length ?? 0;
  const twice = [...byContent].flatMap(([content, found]) =>
    found.length === 1 ? [] : [`${content} has ${found.length} rows`],
  );
  const echoes = rows.flatMap(({ data, origin, version }) =>
    (contentOf(data)?.startsWith('f') ?? false) === (origin === 'external') || data === null
      ? []
      : [`${version} of ${contentOf(data)} has the origin ${origin}`],
  );
  const overwritten = replaced.flatMap(({ place, before, after }) =>
    before?.startsWith('f') && byDevice(place, after) && logged(before) === 0
      ? [`${before} of ${place} was overwritten by ${after ?? 'a delete'} unseen`]
      : [],
  );
  const current = documents.flatMap(({ collection, doc_id, data }) => {
    const content = contentOf(data) ?? '';
    return logged(content) === 1 ? [] : [`${collection}/${doc_id}: ${content} is not logged once`];
  });
  return [...twice, ...echoes, ...overwritten, ...current].slice(0, FAULTS_NAMED);
}

function byDevice(place: string, after: string | null): boolean {
  if (after !== null) return after.startsWith('p');
  return mayDelete('device', numberOf(place));
}

/** Documents that only one device knows have no number and are nobody else's to delete. */
function numberOf(place: string): number {
  const [, number] = /\/doc-(\d+)$/.exec(place) ?? [];
  return number === undefined ? 2 : Number(number);
}

function contentOf(data: unknown): string | null {
  return (data as { content?: string } | null)?.content ?? null;
}
