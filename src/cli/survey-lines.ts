/** The plan of an adoption for people: one collection, a line per finding. Pure. */

import { otherIds, type Survey } from '../core/foreign/survey.ts';

/** `+` gets something, `=` stays, `~` leaves a row, `!` needs a person, `i` is worth knowing. */
export function surveyLines(survey: Survey): readonly string[] {
  const { collection, documents, bytes, id_type } = survey;
  const scopes = `${survey.scopes}${survey.scopes_counted ? '' : ' or more'}`;
  const lines = [
    `${collection}: ${documents} documents, ${megabytes(bytes)} MB, ids ${id_type}, scope by ${survey.scope_source}, ${scopes} scopes`,
  ];
  const add = (sign: string, count: number, text: string): void => {
    if (count > 0) lines.push(`  ${sign} ${count} ${text}`);
  };
  add('+', survey.unstamped, 'get a version');
  add('=', survey.known, 'have one');
  add('~', survey.changed, 'were changed since by another program: each leaves a row');
  add('i', survey.earlier, 'have the version of an earlier server and keep it');
  add('i', survey.read_only, 'hold BSON types that a push cannot carry: served, never written');
  add(
    '!',
    survey.without_scope,
    `have no scope${named(survey, 'without_scope')}${scopeHint(survey)}`,
  );
  add('!', survey.too_large, `are larger than max_document_bytes${named(survey, 'too_large')}`);
  add('!', otherIds(survey), `have ids of another type: ${otherTypes(survey)}`);
  return lines;
}

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}

function named({ examples }: Survey, why: string): string {
  const first = examples[why] ?? [];
  return first.length === 0 ? '' : ` (${first.join(', ')})`;
}

function scopeHint({ collection, scope_source }: Survey): string {
  return scope_source === 'none'
    ? `: set collections.${collection}.scope_field to the field that names it, or scope to a constant`
    : '';
}

function otherTypes({ id_types, id_type }: Survey): string {
  return Object.entries(id_types)
    .filter(([type]) => type !== id_type)
    .map(([type, count]) => `${count} ${type}`)
    .join(', ');
}
