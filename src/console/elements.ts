/** Elements of the page. Whatever comes from the server enters as text: nothing here parses HTML. */

/** An element with text or children. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  content: string | readonly Node[] = '',
  attributes: Readonly<Record<string, string>> = {},
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (typeof content === 'string') element.textContent = content;
  else element.append(...content);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** The element of the page with this id. */
export function byId<Kind extends HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found as Kind;
}

/** A list of terms and what they are. */
export function factList(facts: Readonly<Record<string, string>>): HTMLElement {
  const pairs = Object.entries(facts).flatMap(([name, value]) => [
    make('dt', name),
    make('dd', value),
  ]);
  return make('dl', pairs);
}

/** Cells of a table row; headings name them on narrow screens. */
export function cells(values: Readonly<Record<string, string>>): HTMLTableCellElement[] {
  return Object.entries(values).map(([name, value]) =>
    make('td', value, { 'data-name': name, title: value }),
  );
}

/** Heads a table with these names. */
export function headings(table: HTMLElement, names: readonly string[]): void {
  const row = make(
    'tr',
    names.map((name) => make('th', name, { scope: 'col' })),
  );
  table.querySelector('thead')?.replaceChildren(row);
}
