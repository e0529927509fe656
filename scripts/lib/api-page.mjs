/** `docs/API.md` from the declarations and doc comments behind the package's entry. */

import ts from 'typescript';
import { inRoot } from './paths.mjs';

const ENTRY = 'src/index.ts';
const TYPE_LENGTH_MAX = 160;
const FLAGS =
  ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope;
/** What is described by a page of its own: the configuration and the wire. */
const DESCRIBED_ELSEWHERE = /\/src\/(config|protocol)\//;

const KINDS = [
  ['Functions', (flags) => flags & ts.SymbolFlags.Function],
  ['Errors', (flags) => flags & ts.SymbolFlags.Class],
  ['Types', (flags) => flags & (ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias)],
  ['Constants', (flags) => flags & ts.SymbolFlags.Variable],
];

/** Every exported name with its doc comment; throws for one without. Returns Markdown. */
export function apiPage() {
  const program = ts.createProgram([inRoot(ENTRY)], compilerOptions());
  const checker = program.getTypeChecker();
  const entry = checker.getSymbolAtLocation(program.getSourceFile(inRoot(ENTRY)));
  const names = checker.getExportsOfModule(entry).map((symbol) => describe(symbol, checker));
  const silent = names.filter(({ text }) => text === '').map(({ name }) => name);
  if (silent.length > 0) throw new Error(`exported without a doc comment: ${silent.join(', ')}`);
  const sections = KINDS.flatMap(([title, isKind]) => {
    const own = names.filter((one) => isKind(one.flags) && !one.taken);
    for (const one of own) one.taken = true;
    return own.length === 0 ? [] : [`## ${title}`, '', ...own.flatMap(({ lines }) => lines)];
  });
  return `${[
    '# The library',
    '',
    '<!-- Made by `npm run generate`; edit the source named below. -->',
    `Source: \`${ENTRY}\` and the doc comments of what it exports.`,
    '',
    "Everything that `import { … } from 'offline-sync'` gives. Complete programs are in `examples/`:",
    '`embed-hono.mjs`, `embed-http.mjs` and `server-write.mjs`. Keys of the options are in',
    '[CONFIG.md](CONFIG.md), shapes of the wire in `/openapi.json`, codes in [ERRORS.md](ERRORS.md).',
    '',
    ...sections,
  ]
    .join('\n')
    .trimEnd()}\n`;
}

function compilerOptions() {
  const { config } = ts.readConfigFile(inRoot('tsconfig.json'), ts.sys.readFile);
  return ts.convertCompilerOptionsFromJson(config.compilerOptions, inRoot('.')).options;
}

function describe(exported, checker) {
  const symbol =
    exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  const { name } = exported;
  const text = docOf(symbol, checker);
  const body = bodyOf(symbol, checker);
  const lines = [`### \`${name}\``, '', text, '', ...body];
  return { name, text, flags: symbol.flags, lines };
}

function bodyOf(symbol, checker) {
  const { flags } = symbol;
  if (flags & ts.SymbolFlags.Function) return code(signatureOf(symbol, checker));
  if (flags & ts.SymbolFlags.Class) {
    const type = checker.getDeclaredTypeOfSymbol(symbol);
    return members(ownMembers(symbol, type, checker), checker);
  }
  if (flags & ts.SymbolFlags.Interface) {
    const type = checker.getDeclaredTypeOfSymbol(symbol);
    return [...heritage(symbol), ...members(ownMembers(symbol, type, checker), checker)];
  }
  if (flags & ts.SymbolFlags.TypeAlias && !isDescribedElsewhere(symbol)) {
    return code(symbol.declarations[0].getText().replace(/^export /, ''));
  }
  return flags & ts.SymbolFlags.Variable ? entries(symbol) : [];
}

/** A table of texts shows its texts. */
function entries({ valueDeclaration }) {
  const value = valueDeclaration?.initializer?.expression;
  if (value === undefined || !ts.isObjectLiteralExpression(value)) return [];
  const rows = value.properties.map(
    ({ name, initializer }) => `| \`${name.getText()}\` | ${cell(initializer.text)} |`,
  );
  return ['| Key | Meaning |', '| --- | --- |', ...rows, ''];
}

/** What an interface takes over from the configuration is named, not repeated. */
function heritage(symbol) {
  const clauses = symbol.declarations.flatMap((one) => one.heritageClauses ?? []);
  const texts = clauses.flatMap(({ types }) => types.map((type) => type.getText()));
  const shown = texts.filter((text) => text.includes('ConfigInput'));
  return shown.length === 0
    ? []
    : [`And the keys of [CONFIG.md](CONFIG.md) (\`${shown.join('`, `')}\`).`, ''];
}

function ownMembers(owner, type, checker) {
  const isOwn = (one) => isDescribedElsewhere(owner) || !isDescribedElsewhere(one);
  return checker
    .getPropertiesOfType(type)
    .filter((one) => isOwn(one) && !isFromLibrary(one) && !isPrivate(one));
}

function isDescribedElsewhere({ declarations = [] }) {
  return declarations.some((one) => DESCRIBED_ELSEWHERE.test(one.getSourceFile().fileName));
}

function isFromLibrary({ declarations = [] }) {
  return declarations.some((one) => one.getSourceFile().fileName.includes('/node_modules/'));
}

function isPrivate({ name, declarations = [] }) {
  return (
    name.startsWith('__#') ||
    declarations.some((one) => one.name?.kind === ts.SyntaxKind.PrivateIdentifier)
  );
}

function members(properties, checker) {
  if (properties.length === 0) return [];
  const rows = properties.map((property) => {
    const optional = property.flags & ts.SymbolFlags.Optional ? '?' : '';
    const type = typeText(property, checker);
    return `| \`${property.name}${optional}\` | \`${cell(type)}\` | ${cell(docOf(property, checker))} |`;
  });
  return ['| Member | Type | Meaning |', '| --- | --- | --- |', ...rows, ''];
}

/** As it was written where that is short; inferred types could name what nobody can import. */
function typeText(property, checker) {
  const [declaration] = property.declarations ?? [];
  if (declaration !== undefined && ts.isMethodSignature(declaration)) {
    return oneLine(declaration.getText().replace(/;$/, ''));
  }
  const written = declaration?.type?.getText();
  const type = written ?? checker.typeToString(checker.getTypeOfSymbol(property), undefined, FLAGS);
  const text = oneLine(type);
  return text.length > TYPE_LENGTH_MAX ? `${text.slice(0, TYPE_LENGTH_MAX)}…` : text;
}

function signatureOf(symbol, checker) {
  const [signature] = checker.getSignaturesOfType(
    checker.getTypeOfSymbol(symbol),
    ts.SignatureKind.Call,
  );
  return `function ${symbol.name}${checker.signatureToString(signature, undefined, FLAGS)}`;
}

function docOf(symbol, checker) {
  return oneLine(ts.displayPartsToString(symbol.getDocumentationComment(checker)));
}

function code(text) {
  return ['```ts', text, '```', ''];
}

function oneLine(text) {
  return text.replace(/\s+/g, ' ').trim();
}

function cell(text) {
  return text.replaceAll('|', '\\|');
}
