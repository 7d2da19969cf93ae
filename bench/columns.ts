import { identifier, literal } from '../src/sql.ts';

/**
 * The workload's columns, for queries that are written by hand. Left to find them, DuckDB looks at the first rows only and then fails at the
 * object that appears half-way.
 */
const COLUMNS: Readonly<Record<string, string>> = {
  event_id: 'VARCHAR',
  environment: 'VARCHAR',
  transaction_id: 'VARCHAR',
  event_type: 'VARCHAR',
  event_version: 'BIGINT',
  updated_at: 'TIMESTAMPTZ',
  created_at: 'VARCHAR',
  payload: `STRUCT(amount DECIMAL(18, 2), currency VARCHAR, exchange_rate DECIMAL(18, 4),
    customer STRUCT(id VARCHAR, email VARCHAR, "name" VARCHAR, ip VARCHAR),
    merchant STRUCT(id VARCHAR, "name" VARCHAR, country VARCHAR, mcc BIGINT),
    card STRUCT(brand VARCHAR, last4 VARCHAR, expiry VARCHAR),
    items STRUCT(sku VARCHAR, quantity BIGINT, unit_price DECIMAL(18, 2))[],
    metadata STRUCT(channel VARCHAR, trace BIGINT, note VARCHAR, device STRUCT(os VARCHAR, "version" VARCHAR)),
    risk STRUCT(score DECIMAL(18, 3), "level" VARCHAR, rules VARCHAR[]))`,
};
const list = (of: (name: string, type: string) => string): string =>
  Object.entries(COLUMNS)
    .map(([name, type]) => of(name, type))
    .join(', ');

/** As `read_json` wants them. */
export const READ_COLUMNS = `{${list((name, type) => `${name}: ${literal(type)}`)}}`;
/** As the members of a struct. */
export const STRUCT_COLUMNS = list((name, type) => `${identifier(name)} ${type}`);
