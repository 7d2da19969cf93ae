import type { Command } from 'commander';
import type { Clock } from '../clock.ts';
import { administratorScript, administratorSections, type Section } from '../load/snowflake/migrations/administrator.ts';
import { applyMigrations, pendingMigrations } from '../load/snowflake/migrations/apply.ts';
import { checksumOf, type Migration, migrationContext } from '../load/snowflake/migrations/index.ts';
import { personalFields } from '../load/snowflake/migrations/masking.ts';
import { keptName } from '../load/snowflake/migrations/names.ts';
import { rowsName } from '../load/snowflake/names.ts';
import { openSession, type SnowflakeSession } from '../load/snowflake/session.ts';
import type { Configuration, SnowflakeConfig } from '../stream.ts';
import { SECOND } from '../time.ts';
import { type Answer, type CommonOptions, invoke, withStreamlessOptions } from './command.ts';
import { addCost } from './warehouse-cost.ts';
import { addPlan } from './warehouse-plan.ts';

interface MigrateOptions extends CommonOptions {
  readonly plan?: boolean;
  readonly script?: boolean;
}

export function addWarehouse(program: Command): void {
  const parent = program.command('warehouse').description('the warehouse behind the tables: migrate, plan, cost');
  parent.addHelpText('after', '\nExample:\n  tidemark warehouse migrate --plan');
  addMigrate(parent);
  addPlan(parent);
  addCost(parent);
}

function addMigrate(parent: Command): void {
  const command = parent
    .command('migrate')
    .description("bring Tidemark's own tables, staging and stage in Snowflake to this version; again does nothing")
    .option('--plan', 'print what would be run, and what an administrator has to run; changes nothing')
    .option('--script', "print the administrator's statements alone, to be pasted; asks nobody");
  withStreamlessOptions(command, 'tidemark warehouse migrate --plan').action((options: MigrateOptions) =>
    invoke(options, async ({ configuration, clock }) => {
      const settings = configuration();
      const { warehouse } = settings;
      if (warehouse.kind === 'duckdb') return nothingToDo(warehouse.path);
      if (options.script) return script(settings, warehouse);
      return withSession(warehouse, clock, (session) =>
        options.plan ? plan(session, settings, warehouse) : migrate(session, settings, warehouse),
      );
    }),
  );
}

const nothingToDo = (path: string): Answer => ({
  json: { warehouse: 'duckdb', path, pending: [], applied: [] },
  text: `${path} is a DuckDB warehouse: it migrates itself with the first load.`,
});

async function withSession(config: SnowflakeConfig, clock: Clock, work: (session: SnowflakeSession) => Promise<Answer>): Promise<Answer> {
  const session = await openSession(config, clock);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

async function plan(session: SnowflakeSession, settings: Configuration, config: SnowflakeConfig): Promise<Answer> {
  const context = migrationContext(config, settings.store);
  const pending = await pendingMigrations((statement) => session.rows(statement), context);
  const sections = sectionsOf(settings, config);
  const versions = pending.map((migration) => ({ ...named(migration), statements: migration.statements(context) }));
  const todo = versions.map(({ version, name, statements }) => {
    const lines = statements.map((statement) => `${statement};`);
    return [`-- version ${version}: ${name}, as ${context.roles.loader}`, ...lines].join('\n');
  });
  return {
    json: { warehouse: 'snowflake', pending: versions, administrator: sections },
    text: [
      '-- For an administrator: whatever of this was not run yet. It can be repeated.',
      administratorScript(sections),
      '',
      ...(todo.length > 0 ? ['-- tidemark warehouse migrate would then run', ...todo] : ['-- tidemark warehouse migrate: up to date']),
    ].join('\n'),
  };
}

async function migrate(session: SnowflakeSession, settings: Configuration, config: SnowflakeConfig): Promise<Answer> {
  const applied = await applyMigrations((statement) => session.rows(statement), migrationContext(config, settings.store));
  const lines = applied.map(({ version, name }) => `applied version ${version}: ${name}`);
  return {
    json: { warehouse: 'snowflake', applied: applied.map(named) },
    text: lines.length > 0 ? lines.join('\n') : 'up to date',
  };
}

const named = (migration: Migration): { readonly version: number; readonly name: string; readonly checksum: string } => ({
  version: migration.version,
  name: migration.name,
  checksum: checksumOf(migration),
});

function script(settings: Configuration, config: SnowflakeConfig): Answer {
  const sections = sectionsOf(settings, config);
  return { json: { administrator: sections }, text: administratorScript(sections) };
}

function sectionsOf({ store, streams }: Configuration, config: SnowflakeConfig): readonly Section[] {
  return administratorSections({
    ...migrationContext(config, store),
    user: config.user === undefined ? undefined : keptName(config.user),
    warehouse: keptName(config.warehouse),
    statementTimeoutSeconds: Math.ceil(config.statementTimeout / SECOND),
    personal: streams.flatMap(personalFields),
    streams: streams.map(({ name, version: [time] }) => ({ table: rowsName(name), timeColumn: keptName(time.name) })),
  });
}
