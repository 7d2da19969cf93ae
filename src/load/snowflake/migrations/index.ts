import { FIRST } from './first.ts';
import type { Migration } from './migration.ts';

export { checksumOf, type Migration } from './migration.ts';
export { type MigrationContext, migrationContext } from './names.ts';

/** All there are, in order of version. */
export const MIGRATIONS: readonly Migration[] = [FIRST];
