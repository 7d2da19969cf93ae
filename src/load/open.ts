import type { Clock } from '../clock.ts';
import type { Batch } from '../manifest/documents.ts';
import type { WarehouseConfig } from '../stream.ts';
import { DuckDBWarehouse } from './duckdb.ts';
import type { QuarantinedPlace, Warehouse } from './warehouse.ts';

export interface WarehouseEffects {
  readonly clock: Clock;
  /** Threads and bytes that the warehouse may use on this machine, and the folder for what does not fit. */
  readonly threads: number;
  readonly memoryBytes: number;
  readonly tempDirectory: string;
  /** How long to wait for another process that has the warehouse open; a minute where it is not given. */
  readonly lockWaitMs?: number;
  /** Records of a batch that may not enter, for a warehouse that lists them. */
  readonly quarantined?: (batch: Batch) => Promise<readonly QuarantinedPlace[]>;
}

/** Touches nothing yet: the warehouse is opened by the first thing that is asked of it. */
export async function openWarehouse(config: WarehouseConfig, effects: WarehouseEffects): Promise<Warehouse> {
  if (config.kind === 'duckdb') return new DuckDBWarehouse({ path: config.path, ...effects });
  // Only where it is used: its SDK is not installed everywhere.
  const { SnowflakeWarehouse } = await import('./snowflake/warehouse.ts');
  return new SnowflakeWarehouse({ config, ...effects });
}
