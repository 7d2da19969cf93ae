import { TidemarkError } from '../../../errors.ts';
import { identifier } from '../../../sql.ts';
import { MIGRATIONS } from './index.ts';
import { checksumOf, type Migration } from './migration.ts';
import { MIGRATIONS_TABLE, type MigrationContext, objectSql, type Place, textSql } from './names.ts';
import { createMigrationsTable } from './tables.ts';

/** Runs one statement. */
export type Run = (sql: string) => Promise<readonly Record<string, unknown>[]>;

export interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
}

/** @returns those that are not applied yet, in order. @throws WAREHOUSE_VERSION where what was applied is not what this version knows. */
export async function pendingMigrations(run: Run, place: Place): Promise<readonly Migration[]> {
  const [found] = await run(tableExists(place));
  return found ? pendingOf(await readApplied(run, place)) : MIGRATIONS;
}

/**
 * Applies what is missing and notes it. Two at once are safe: statements can be repeated, and noting is done under a lock. One that is
 * killed has noted what was whole; the rest is done again.
 * @returns those that were applied now.
 */
export async function applyMigrations(run: Run, context: MigrationContext): Promise<readonly Migration[]> {
  await run(createMigrationsTable(context));
  await run(insertLock(context));
  const pending = pendingOf(await readApplied(run, context));
  for (const migration of pending) {
    for (const statement of migration.statements(context)) await run(statement);
    await note(run, context, migration);
  }
  return pending;
}

/** @throws WAREHOUSE_VERSION. */
function pendingOf(applied: readonly AppliedMigration[]): readonly Migration[] {
  for (const entry of applied) requireKnown(entry);
  const versions = new Set(applied.map(({ version }) => version));
  return MIGRATIONS.filter(({ version }) => !versions.has(version));
}

function requireKnown({ version, name, checksum }: AppliedMigration): void {
  const known = MIGRATIONS.find((migration) => migration.version === version);
  const hint = 'Nothing was changed. Use the version of Tidemark that made it, or a later one.';
  if (!known) {
    const message = `The warehouse has migration ${version} (${name}); this version of Tidemark knows ${MIGRATIONS.length}`;
    throw new TidemarkError({ code: 'WAREHOUSE_VERSION', message, hint });
  }
  if (checksumOf(known) === checksum) return;
  const message = `Migration ${version} (${name}) was applied with the checksum ${checksum}; here it has ${checksumOf(known)}`;
  throw new TidemarkError({ code: 'WAREHOUSE_VERSION', message: `${message}: they are not the same statements`, hint });
}

/** A second one waits for the lock, and then finds the row. */
async function note(run: Run, context: MigrationContext, migration: Migration): Promise<void> {
  await run('BEGIN');
  try {
    await run(takeLock(context));
    await run(insertMigration(context, migration));
    await run('COMMIT');
  } catch (error) {
    await run('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

const table = (place: Place): string => objectSql(place, MIGRATIONS_TABLE);

const tableExists = ({ database, schema }: Place): string =>
  `SELECT "TABLE_NAME" FROM ${identifier(database)}.INFORMATION_SCHEMA.TABLES
WHERE "TABLE_SCHEMA" = ${textSql(schema)} AND "TABLE_NAME" = ${textSql(MIGRATIONS_TABLE)}`;

async function readApplied(run: Run, place: Place): Promise<readonly AppliedMigration[]> {
  const rows = await run(`SELECT "VERSION", "NAME", "CHECKSUM" FROM ${table(place)} WHERE "VERSION" > 0 ORDER BY "VERSION"`);
  return rows.map((row) => ({ version: Number(row['VERSION']), name: String(row['NAME']), checksum: String(row['CHECKSUM']) }));
}

const WHO = `CURRENT_USER() || ' as ' || CURRENT_ROLE()`;

/** The row that every migration changes. Two that insert it at once make two, which are locked together. */
const insertLock = (place: Place): string =>
  `INSERT INTO ${table(place)} ("VERSION", "NAME", "CHECKSUM", "APPLIED_AT", "APPLIED_BY")
SELECT 0, 'lock', '', CURRENT_TIMESTAMP(), ${WHO} WHERE NOT EXISTS (SELECT 1 FROM ${table(place)} WHERE "VERSION" = 0)`;

const takeLock = (place: Place): string => `UPDATE ${table(place)} SET "APPLIED_AT" = CURRENT_TIMESTAMP() WHERE "VERSION" = 0`;

const insertMigration = (place: Place, migration: Migration): string =>
  `INSERT INTO ${table(place)} ("VERSION", "NAME", "CHECKSUM", "APPLIED_AT", "APPLIED_BY")
SELECT ${migration.version}, ${textSql(migration.name)}, ${textSql(checksumOf(migration))}, CURRENT_TIMESTAMP(), ${WHO}
WHERE NOT EXISTS (SELECT 1 FROM ${table(place)} WHERE "VERSION" = ${migration.version})`;
