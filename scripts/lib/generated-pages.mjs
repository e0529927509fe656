/** The pages that are made from code: pure functions from catalogues to Markdown. */

const NOTICE = '<!-- Made by `npm run generate`; edit the source named below. -->';

const RECOVERY = {
  none: 'nothing the caller can do',
  fix_request: 'change the request; the same one fails again',
  authenticate: 'get a new token',
  retry: 'wait for `Retry-After`, then send the same request again (the same `mutation_id`s)',
  resync: 'start over without the cursor',
  upgrade: 'use a client of this protocol version',
};

/** `docs/ERRORS.md` from the error catalogue. */
export function errorsPage({ errors, codes }) {
  const requestRows = codes.ERROR_CODES.map((code) => {
    const { status, retryable, recovery, message } = errors.ERROR_CATALOGUE[code];
    return [anchored(code), status, retryable ? 'yes' : 'no', recovery, message];
  });
  const rejectionRows = codes.REJECTION_CODES.map((code) => {
    const { permanent, message } = errors.REJECTION_CATALOGUE[code];
    return [`\`${code}\``, permanent ? 'no' : 'yes', message];
  });
  return page('Errors', 'src/protocol/errors.ts` and `src/protocol/pure/error-codes.ts', [
    'A failed request answers with one JSON body: `error` (the code), `message`, `retryable`,',
    '`request_id`, `details` where there are facts, and `detail` (equal to `message`). Codes are',
    'never renamed. Match on codes, never on texts.',
    '',
    '## Failed requests',
    ...table(['Code', 'Status', 'Retryable', 'Recovery', 'Meaning'], requestRows),
    '',
    'What the recoveries mean:',
    ...table(
      ['Recovery', 'What to do'],
      Object.entries(RECOVERY).map(([name, text]) => [`\`${name}\``, text]),
    ),
    '',
    '## Refused changes',
    'Values of `error` inside a push result with `status: "rejected"`. The request itself is a 200.',
    '',
    ...table(['Code', 'Can succeed unchanged later', 'Meaning'], rejectionRows),
    '',
    '## Reasons of a stale pull',
    'Values of `reason` when a pull answers `full_resync_required`.',
    '',
    ...list(codes.STALE_REASONS),
    '',
    '## Reasons of `authentication_failed`',
    'Values of `details.reason`.',
    '',
    ...list(codes.AUTH_REASONS),
    '',
    '## Issues',
    'Values of `details.issues[].code`: what was wrong at which path. Each comes with a message that',
    'says what to do.',
    '',
    ...list(codes.ISSUE_CODES),
  ]);
}

/** `docs/CONFIG.md` from the configuration keys. */
export function configPage({ keys, environment }) {
  const rows = (list) =>
    list.map((key) => [
      `\`${key.name}\``,
      key.description,
      key.expected,
      inline(key.default),
      inline(key.example),
    ]);
  return page('Configuration', 'src/config/schema.ts', [
    'A value is taken from the first of: flag, environment, file, default. The file is',
    '`sync.config.yaml`, `.yml` or `.json`, the key `offline-sync` of package.json, or whatever',
    '`--config` names. An unknown key is an error. `offline-sync config print` shows every value with',
    'its origin. Editors complete the file with `config/sync.config.schema.json`.',
    '',
    '## Keys',
    ...table(['Key', 'What it is', 'Allowed', 'Default', 'Example'], rows(keys.CONFIG_KEYS)),
    '',
    '## Options of a collection',
    ...table(['Option', 'What it is', 'Allowed', 'Default', 'Example'], rows(keys.COLLECTION_KEYS)),
    '',
    '## Environment',
    'Lists are written with commas or as JSON. A secret may also be read from a file.',
    '',
    ...table(
      ['Variable', 'Key', 'From a file'],
      keys.CONFIG_KEYS.map((key) => {
        const variable = environment.variableOf(key);
        return [`\`${variable}\``, `\`${key.name}\``, key.secret ? `\`${variable}_FILE\`` : ''];
      }),
    ),
    '',
    '`MONGODB_URI`, `MONGODB_DATABASE` and `PORT` are understood as well.',
  ]);
}

/** `docs/METRICS.md` from the metric names and their help. */
export function metricsPage({ metrics }) {
  return page('Metrics', 'src/observability/metrics.ts', [
    '`GET /metrics` in the text format of Prometheus. Labels come from closed sets only: routes,',
    'configured collections, codes.',
    '',
    ...table(
      ['Metric', 'Meaning'],
      Object.entries(metrics.METRICS).map(([name, help]) => [`\`${name}\``, help]),
    ),
  ]);
}

/** `docs/RULES.md`: rule → the test files with titles that start with it. */
export function rulesPage(rules, testsByRule) {
  return page('Rules and their tests', 'test/', [
    'What each rule promises stands in [PROTOCOL.md](PROTOCOL.md).',
    '',
    ...table(
      ['Rule', 'Tests whose titles start with it'],
      rules.map((rule) => {
        const tests = testsByRule.get(rule) ?? [];
        const files = [...new Set(tests.map((one) => one.file))].sort();
        return [rule, files.map((file) => `\`${file}\``).join(', ') || 'none'];
      }),
    ),
  ]);
}

function page(title, source, lines) {
  return `${[`# ${title}`, '', NOTICE, `Source: \`${source}\`.`, '', ...lines].join('\n')}\n`;
}

function table(heads, rows) {
  const line = (cells) => `| ${cells.map((cell) => escaped(String(cell))).join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)];
}

function inline(value) {
  return value === undefined ? '' : `\`${JSON.stringify(value)}\``;
}

function escaped(text) {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function anchored(code) {
  return `<a id="${code}"></a>\`${code}\``;
}

function list(codes) {
  return codes.map((code) => `- \`${code}\``);
}
