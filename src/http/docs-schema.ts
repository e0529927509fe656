/** A JSON Schema as a table, and as the short name of a type. */

import type { JsonSchema } from '../protocol/wire-schemas.ts';
import { type Html, type HtmlValue, html, inline } from './docs-html.ts';

const SHAPES = '#/components/schemas/';
/** Longer lists of values stand in a table of their own. */
const VALUES_MAX = 6;

/** The type in a few words, linked to its shape. */
export function typeName(schema: JsonSchema): Html {
  if (schema.$ref !== undefined) return shapeLink(schema.$ref);
  if (schema.anyOf !== undefined) return joined(schema.anyOf.map(typeName), ' | ');
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (schema.enum !== undefined) return valueList(schema.enum);
  if (schema.items !== undefined) return html`array of ${typeName(schema.items)}`;
  const types =
    typeof schema.type === 'string' ? [schema.type] : (schema.type ?? ['any JSON value']);
  return html`${types.join(' | ')}`;
}

/** Properties of an object, nested ones by their path. */
export function propertyTable(schema: JsonSchema): Html {
  const rows = propertyRows(schema, '');
  if (rows.length === 0) return html`<p>${typeName(schema)}</p>`;
  return html`<table class="fields">
<thead><tr><th scope="col">Field</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead>
<tbody>${rows}</tbody></table>`;
}

/** One row of a table of fields, parameters or headers. */
export function fieldRow(name: string, required: boolean, schema: JsonSchema): Html {
  const { description = '' } = schema;
  return html`<tr><th scope="row"><code>${name}</code>${required ? '' : html` <small>optional</small>`}</th>
<td>${typeName(schema)}${bounds(schema)}</td><td>${inline(description)}</td></tr>`;
}

function propertyRows(schema: JsonSchema, path: string): readonly Html[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const whole = `${path}${name}`;
    const required = schema.required?.includes(name) === true;
    const inside = property.items?.properties === undefined ? property : property.items;
    const step = inside === property ? '.' : '[].';
    return [fieldRow(whole, required, property), ...propertyRows(inside, `${whole}${step}`)];
  });
}

function shapeLink(ref: string): Html {
  const name = ref.slice(SHAPES.length);
  return html`<a href="#shape-${name}">${name}</a>`;
}

function valueList(values: readonly unknown[]): Html {
  const shown = values
    .slice(0, VALUES_MAX)
    .map((value) => html`<code>${JSON.stringify(value)}</code>`);
  const rest = values.length - shown.length;
  return html`${joined(shown, ' | ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function bounds({ minimum, maximum, maxLength }: JsonSchema): HtmlValue {
  const parts = [
    typeof minimum === 'number' ? `≥ ${minimum}` : '',
    typeof maximum === 'number' ? `≤ ${maximum}` : '',
    typeof maxLength === 'number' ? `≤ ${maxLength} characters` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : html` <small>${parts.join(', ')}</small>`;
}

function joined(parts: readonly Html[], separator: string): Html {
  return html`${parts.map((part, at) => (at === 0 ? part : html`${separator}${part}`))}`;
}
