/** Who reads the scope's changes now, and the queue of the one that was chosen. */

import { byId, cells, factList, headings, make } from './elements.ts';
import { queueFacts, readerCells, type ShownReader } from './format.ts';

const NOTHING: ShownReader = {
  subscription_id: '',
  transport: '',
  mode: '',
  actor_id: '',
  client_id: '',
  collections: [],
  state: '',
  position: '',
  behind_rows: 0,
  buffered_bytes: 0,
  stalled_ms: 0,
  sent: 0,
  since_ms: 0,
};

const NOBODY = 'Nobody reads live changes of this scope here.';
const UNKNOWN = 'Not known until a server answers.';

/** Shows each list that is polled. The rows stay where they are, so that the focus does. */
export class ReaderTable {
  readonly #body = byId('readers').querySelector('tbody') as HTMLTableSectionElement;
  readonly #count = byId('reader-count');
  readonly #queue = byId('queue');
  readonly #empty = byId('no-readers');
  #chosen: string | undefined;
  #readers: readonly ShownReader[] = [];

  constructor() {
    headings(byId('readers'), [...Object.keys(readerCells(NOTHING)), 'queue']);
  }

  /** Shows these readers. */
  show(readers: readonly ShownReader[], now_ms: number): void {
    this.#readers = readers;
    this.#empty.textContent = NOBODY;
    this.#count.textContent = `${readers.length} on this server process`;
    const known = new Map([...this.#body.rows].map((row) => [row.dataset['id'], row]));
    const rows = readers.map((reader) => {
      const row = known.get(reader.subscription_id) ?? this.#newRow(reader);
      const values = Object.values(readerCells(reader));
      values.forEach((value, at) => {
        const cell = row.cells[at];
        if (cell !== undefined && cell.textContent !== value) cell.textContent = value;
      });
      return row;
    });
    const same = rows.length === this.#body.rows.length && rows.every((row) => row.isConnected);
    if (!same) this.#body.replaceChildren(...rows);
    this.#showQueue(now_ms);
  }

  /** Empties the table: nobody is there who could say. The chosen one is shown again when it is there. */
  forget(): void {
    this.#readers = [];
    this.#body.replaceChildren();
    this.#count.textContent = '';
    this.#queue.replaceChildren();
    this.#empty.textContent = UNKNOWN;
  }

  /** Begins anew. */
  clear(): void {
    this.#chosen = undefined;
    this.forget();
  }

  #newRow(reader: ShownReader): HTMLTableRowElement {
    const { subscription_id, client_id, actor_id } = reader;
    const label = `queue of ${client_id ?? actor_id}`;
    const button = make('button', 'show', { type: 'button', 'aria-label': label });
    button.addEventListener('click', () => {
      this.#chosen = subscription_id;
      this.#showQueue(Date.now());
    });
    const holder = make('td', [button], { 'data-name': 'queue' });
    return make('tr', [...cells(readerCells(reader)), holder], { 'data-id': subscription_id });
  }

  #showQueue(now_ms: number): void {
    if (this.#chosen === undefined) return;
    const reader = this.#readers.find((one) => one.subscription_id === this.#chosen);
    const title = make('h3', `Queue of ${reader?.client_id ?? reader?.actor_id ?? 'a reader'}`);
    const content =
      reader === undefined
        ? make('p', 'This reader is no longer connected here.')
        : factList(queueFacts(reader, now_ms));
    this.#queue.replaceChildren(title, content);
  }
}
