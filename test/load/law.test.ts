import { freshBench } from './fresh-bench.ts';
import { lawSuite } from './suites/law.ts';
import { makeStream } from './support.ts';

const bench = freshBench();

lawSuite(bench, (name) => ({ warehouse: bench.open({ path: `${bench.folder}/${name}.duckdb` }), stream: makeStream() }), 15);
