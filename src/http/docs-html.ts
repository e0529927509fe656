/** HTML by template: every value is escaped unless it is HTML already. */

/** A text that is HTML. Made by `html` only, so that nothing unescaped gets in. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What a template can hold. */
export type HtmlValue = string | number | Html | readonly HtmlValue[];

/** Fills a template. Attributes must be written in double quotes. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(
    parts.map((part, at) => part + (at < values.length ? toText(values[at]) : '')).join(''),
  );
}

function toText(value: HtmlValue | undefined): string {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(toText).join('');
  return escapeText(String(value ?? ''));
}

function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** Text with `code` in backquotes and paragraphs between empty lines. */
export function prose(text: string): Html {
  return html`${text.split('\n\n').map((paragraph) => html`<p>${inline(paragraph)}</p>`)}`;
}

/** One paragraph's inside. */
export function inline(text: string): Html {
  const pieces = text.split('`');
  return html`${pieces.map((piece, at) => (at % 2 === 1 ? html`<code>${piece}</code>` : piece))}`;
}
