import { lawSuite } from '../suites/law.ts';
import { loadingSuite } from '../suites/loading.ts';
import { tableSuite } from '../suites/table.ts';
import { makeStream } from '../support.ts';
import { snowflakeBench } from './bench.ts';

/** Snowflake does with batches what DuckDB does. */

const bench = snowflakeBench();

loadingSuite(bench);
tableSuite(bench);
lawSuite(bench, (name) => ({ warehouse: bench.open(), stream: makeStream({ name }) }), 8);
