/**
 * Which module may import which, each rule with its reason. `npm run check` and the architecture tests
 * run them; a new exception here needs a reason in the same change.
 */

const ONLY_AT = {
  mongodb: '^src/storage/mongo/',
  hono: '^src/http/',
  '@hono/node-server': '^src/http/',
  ws: '^src/http/',
  pino: '^src/observability/logger\\.ts$',
  'pino-pretty': '^src/observability/logger\\.ts$',
  'prom-client': '^src/observability/metrics\\.ts$',
  commander: '^src/cli/',
  jose: '^src/auth/',
  cosmiconfig: '^src/config/',
  yaml: '^src/config/',
  zod: '^src/(protocol|config)/',
  '@photostructure/sqlite': '^src/storage/embedded/',
};

/** A package as the cruiser resolves it: inside node_modules, or by its bare name when absent. */
function packagePattern(name) {
  return `(^|node_modules/)${name.replace('/', '\\/')}(/|$)`;
}

const NPM = ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'];

const packageRules = Object.entries(ONLY_AT).map(([name, place]) => ({
  name: `R4-${name.replace(/[@/]/g, '')}-in-one-place`,
  comment: `${name} can be replaced or upgraded in one place, and its types and errors stay there.`,
  severity: 'error',
  from: { path: '^(src|bin)/', pathNot: place },
  to: { path: packagePattern(name) },
}));

module.exports = {
  forbidden: [
    {
      name: 'R1-protocol-imports-only-zod',
      comment:
        'The wire contract is read by servers, clients and tools in any runtime: no effects, no engine.',
      severity: 'error',
      from: { path: '^src/protocol/' },
      to: { pathNot: ['^src/protocol/', packagePattern('zod')] },
    },
    {
      name: 'R1-pure-imports-nothing',
      comment:
        'protocol/pure is what a browser client bundles; zod alone would cost it about 90 KB.',
      severity: 'error',
      from: { path: '^src/protocol/pure/' },
      to: { pathNot: '^src/protocol/pure/' },
    },
    {
      name: 'R2-core-stays-pure',
      comment:
        'The engine decides and never acts: effects reach it through core/ports, so that every decision can be repeated and simulated.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { pathNot: ['^src/core/', '^src/protocol/'] },
    },
    {
      name: 'R2-core-has-no-packages',
      comment: 'Even a package under an allowed path (zod through the protocol) stays out of core.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { dependencyTypes: [...NPM, 'core'] },
    },
    {
      name: 'R3-adapters-know-ports-only',
      comment:
        'An adapter that knew use cases or another adapter could not be exchanged. The invariant helper and the collection policy are shared words, not decisions.',
      severity: 'error',
      from: { path: '^src/(storage/[^/]+|auth|observability)/' },
      to: {
        path: '^src/',
        pathNot: [
          '^src/core/ports/',
          '^src/core/(invariant|collections)\\.ts$',
          '^src/protocol/',
          '^src/$1/',
        ],
      },
    },
    ...packageRules,
    {
      name: 'R5-http-enters-through-the-engine',
      comment:
        'Routes translate. Whatever they could decide past the engine would be missing from the other ways in.',
      severity: 'error',
      from: { path: '^src/http/' },
      to: {
        path: '^src/',
        pathNot: [
          '^src/core/(engine|context)\\.ts$',
          '^src/core/(pull/answers|push/answers)\\.ts$',
          '^src/core/ports/',
          '^src/protocol/',
          '^src/http/',
        ],
      },
    },
    {
      name: 'R6-configuration-stays-outside',
      comment:
        'Adapters declare their own options, so that they work without our file format. compose.ts translates.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: ['^src/(config|cli)/', '^src/(compose[a-z-]*|index)\\.ts$'],
      },
      to: { path: '^src/config/' },
    },
    {
      name: 'R7-one-composition-root',
      comment:
        'compose.ts and its parts, compose-*.ts, are the only files that know two adapters. Who imports it gets a whole server, so only the command line and the library entry do.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/cli/', '^src/(compose[a-z-]*|index)\\.ts$'] },
      to: { path: '^src/compose[a-z-]*\\.ts$' },
    },
    {
      name: 'R7-adapters-meet-in-compose',
      comment: 'Nobody else puts adapters together; commands ask compose.ts for what they need.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: [
          '^src/(storage|http|auth|observability)/',
          '^src/compose',
          '^src/index\\.ts$',
          '^src/cli/commands/token\\.ts$',
        ],
      },
      to: { path: '^src/(storage|http|auth|observability)/' },
    },
    {
      name: 'R8-commands-do-not-decide',
      comment:
        'A command parses, composes, calls and prints. Push and conflict decisions belong to the engine.',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/core/(push|conflict|scope)/' },
    },
    {
      name: 'R9-client-takes-values-from-pure-only',
      comment: 'A client bundle must not carry zod or server code.',
      severity: 'error',
      from: { path: '^src/client/' },
      to: {
        pathNot: ['^src/client/', '^src/protocol/pure/'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'R9-console-runs-in-a-browser',
      comment: 'The script of /console is sent with the page: nothing of a server, no package.',
      severity: 'error',
      from: { path: '^src/console/' },
      to: { pathNot: ['^src/console/', '^src/protocol/pure/'] },
    },
    {
      name: 'R10-no-cycles',
      comment:
        'Modules in a cycle cannot be understood, tested or loaded one at a time. Cycles of types alone count too.',
      severity: 'error',
      from: { path: '^(src|test)/' },
      to: { circular: true },
    },
    {
      name: 'R11-product-never-imports-tests',
      comment: 'Test code and scripts are not shipped.',
      severity: 'error',
      from: { path: '^(src|bin)/' },
      to: { path: '^(test|scripts|examples)/' },
    },
    {
      name: 'R11-compat-files-are-alone',
      comment: 'Each compatibility layer can be removed without touching another.',
      severity: 'error',
      from: { path: '^src/http/compat/([^/]+)\\.ts$' },
      to: { path: '^src/http/compat/', pathNot: '^src/http/compat/$1\\.ts$' },
    },
    {
      name: 'R12-no-dev-packages',
      comment: 'What is shipped may only need what the package declares as its dependency.',
      severity: 'error',
      from: { path: '^(src|bin)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'imports-resolve',
      comment: 'An import that does not resolve would hide from every other rule.',
      severity: 'error',
      from: { path: '^(src|test|bin)/' },
      to: { couldNotResolve: true, pathNot: '^(node:sqlite|sqlite)$' },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^dist/'] },
    exclude: { path: ['^dist/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
