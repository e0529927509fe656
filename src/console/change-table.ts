/** The newest rows of the scope, the newest first; a document is shown when it is asked for. */

import { type ShownRow, rowCells } from '../protocol/pure/row-cells.ts';
import { byId, cells, headings, make } from './elements.ts';
import { documentText } from './format.ts';

/** Rows that the page keeps. */
export const ROWS_MAX = 500;

/** A row of the stream, with what this page shows. */
export interface ChangeRow extends ShownRow {
  readonly client_id: string | null;
  readonly data: unknown;
}

/** Cells as `inspect` shows them, and which client it was. */
export function changeCells(row: ChangeRow) {
  return { ...rowCells(row), client: row.client_id ?? '-' };
}

const NOTHING: ChangeRow = {
  version: '',
  collection: '',
  operation: '',
  actor_id: '',
  doc_id: '',
  client_id: '',
  data: null,
};

/** Collects rows between two frames of the screen, so that a burst costs one layout. */
export class ChangeTable {
  readonly #body = byId('changes').querySelector('tbody') as HTMLTableSectionElement;
  readonly #count = byId('change-count');
  #pending: ChangeRow[] = [];
  #seen = 0;

  constructor() {
    headings(byId('changes'), [...Object.keys(changeCells(NOTHING)), 'data']);
  }

  /** Adds a row with the next frame. */
  add(row: ChangeRow): void {
    this.#seen += 1;
    if (this.#pending.length === 0) requestAnimationFrame(() => this.#show());
    this.#pending.push(row);
    // A page in the background draws nothing: what would fall out anyway is not kept.
    if (this.#pending.length > 2 * ROWS_MAX) this.#pending.splice(0, ROWS_MAX);
  }

  /** Says something between the rows. */
  note(text: string): void {
    const cell = make('td', text, { colspan: '7', class: 'note' });
    this.#body.prepend(make('tr', [cell]));
  }

  /** Empties the table. */
  clear(): void {
    this.#pending = [];
    this.#seen = 0;
    this.#body.replaceChildren();
    this.#count.textContent = '';
  }

  #show(): void {
    const rows = this.#pending.slice(-ROWS_MAX).map(tableRow).reverse();
    this.#pending = [];
    this.#body.prepend(...rows);
    while (this.#body.rows.length > ROWS_MAX) this.#body.deleteRow(-1);
    const kept = this.#seen > ROWS_MAX ? `, the newest ${ROWS_MAX} are shown` : '';
    this.#count.textContent = `${this.#seen} since this page follows${kept}`;
  }
}

function tableRow(row: ChangeRow): HTMLTableRowElement {
  const about = `${row.collection} ${row.doc_id ?? ''}`;
  const holder = make('td', '', { 'data-name': 'data' });
  if (row.data === null || row.data === undefined) {
    holder.textContent = '-';
  } else {
    const button = make('button', 'show', { type: 'button', 'aria-label': `show ${about}` });
    button.setAttribute('aria-expanded', 'false');
    button.addEventListener('click', () => toggle(button, row.data));
    holder.append(button);
  }
  return make('tr', [...cells(changeCells(row)), holder]);
}

function toggle(button: HTMLButtonElement, data: unknown): void {
  const row = button.closest('tr');
  const open = button.getAttribute('aria-expanded') === 'true';
  button.setAttribute('aria-expanded', String(!open));
  button.textContent = open ? 'show' : 'hide';
  if (open) {
    row?.nextElementSibling?.remove();
    return;
  }
  const text = make('pre', documentText(data), { tabindex: '0' });
  row?.after(make('tr', [make('td', [text], { colspan: '7' })], { class: 'document' }));
}
