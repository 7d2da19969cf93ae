import { createHash } from 'node:crypto';
import type { MigrationContext } from './names.ts';

/** One step in the life of Tidemark's own objects. What was once applied somewhere never changes: a change is a new version. */
export interface Migration {
  /** From 1, without gaps. */
  readonly version: number;
  readonly name: string;
  /** Idempotent, each one statement without a semicolon at its end. */
  statements(context: MigrationContext): readonly string[];
}

/** Names that are no configuration's: a checksum is of the migration, not of where it runs. */
const ANYWHERE: MigrationContext = {
  database: 'DATABASE',
  schema: 'SCHEMA',
  stageUrl: 's3://bucket/prefix/',
  storageIntegration: 'INTEGRATION',
  roles: { loader: 'LOADER', reader: 'READER', auditor: 'AUDITOR' },
};

/** SHA-256 in hex. */
export function checksumOf(migration: Migration): string {
  return createHash('sha256').update(migration.statements(ANYWHERE).join(';\n')).digest('hex');
}
