import type { StreamName, WorldOptions } from './options.ts';
import { createPayments } from './payments.ts';
import type { RecordSource } from './record-source.ts';
import { createSettlements } from './settlements.ts';

export type World = Readonly<Record<StreamName, RecordSource>>;

/** The same options make the same world, to the byte. It holds no records: they are computed wherever they are asked for. */
export function createWorld(options: WorldOptions): World {
  return { payments: createPayments(options), settlements: createSettlements(options) };
}
