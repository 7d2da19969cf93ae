/** The rules of docs/ARCHITECTURE.md: stages do not know each other, and a dependency has one importer. */
const stages = ['fetch', 'serve', 'normalize', 'gate', 'load', 'partner'];
const onlyIn = (name, dependency, path) => ({
  name,
  severity: 'error',
  from: { path: '^src', pathNot: path },
  to: { path: dependency },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    ...stages.map((stage) => ({
      name: `stage-${stage}-stands-alone`,
      severity: 'error',
      from: { path: `^src/${stage}/` },
      to: { path: `^src/(${[...stages.filter((other) => other !== stage), 'cli', 'demo', 'pipeline'].join('|')})[./]` },
    })),
    {
      name: 'foundations-know-no-stage',
      severity: 'error',
      from: { path: '^src/(store|manifest|json|schema|page|landing|parquet)/' },
      to: { path: `^src/(${[...stages, 'cli', 'demo', 'pipeline', 'config'].join('|')})[./]` },
    },
    { name: 'nothing-imports-tests', severity: 'error', from: { path: '^src' }, to: { path: '^(test|bench)' } },
    { name: 'no-dev-dependencies', severity: 'error', from: { path: '^src' }, to: { dependencyTypes: ['npm-dev', 'npm-no-pkg'] } },
    onlyIn('aws-only-in-s3', 'node_modules/@aws-sdk', '^src/store/s3\\.ts$'),
    onlyIn('undici-only-in-client', 'node_modules/undici/', '^src/fetch/(client|receive)\\.ts$'),
    onlyIn('hyparquet-only-in-parquet', 'node_modules/hyparquet', '^src/parquet/'),
    onlyIn('duckdb-only-in-engine', 'node_modules/@duckdb', '^src/engine\\.ts$'),
    onlyIn('piscina-only-in-pool', 'node_modules/piscina', '^src/normalize/pool\\.ts$'),
    onlyIn('commander-only-in-cli', 'node_modules/commander', '^src/cli'),
    onlyIn('yaml-and-zod-only-in-config', 'node_modules/(yaml|zod)/', '^src/config'),
    onlyIn('hono-only-in-serve', 'node_modules/(hono|@hono)/', '^src/serve/(app|server)\\.ts$'),
    onlyIn('pino-only-in-log', 'node_modules/pino/', '^src/log\\.ts$'),
    onlyIn('snowflake-only-in-session', 'node_modules/snowflake-sdk', '^src/load/snowflake/session\\.ts$'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    exclude: { path: '^dist/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
