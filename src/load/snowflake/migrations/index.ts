import { FIRST } from './first.ts';
import type { Migration } from './migration.ts';

export { checksumOf, type Migration } from './migration.ts';
export { type MigrationContext, migrationContext, type Roles } from './names.ts';
export { createMigrationsTable } from './tables.ts';

/** All there are, in order of version. */
export const MIGRATIONS: readonly Migration[] = [FIRST];
