import { type Bench, runBench } from './command.ts';
import { describeMachine } from './machine.ts';
import { HELP, type Options, parseOptions } from './options.ts';
import { ratiosOf } from './ratios.ts';
import { recordRatios } from './recorded.ts';
import { screen } from './screen.ts';
import { runStages } from './stages.ts';
import { contradictions, judgeTable, recordTable } from './verdict.ts';

/** Events, pages, intermediate files, Parquet twice and the warehouse, at their most, for each event. */
const BYTES_AN_EVENT = 2800;

const stages: Bench<Options> = {
  name: 'bench',
  help: HELP,
  parse: parseOptions,
  bytes: ({ workload }) => workload.events * BYTES_AN_EVENT,
  run: async (folder, options, say) => {
    const job = { workload: options.workload, folder, partnerUrl: 'http://127.0.0.1:9' };
    const machine = await describeMachine(folder);
    const measurements = await runStages(job, options, say);
    const wrong = contradictions(options.workload, measurements);
    const judge = options.record && wrong.length === 0 ? recordTable : judgeTable;
    const table = judge(options.workload, measurements);
    if (table === 'recorded now') recordRatios(ratiosOf(measurements.rounds));
    process.stdout.write(`\n${screen({ options, machine, measurements, table, contradictions: wrong })}`);
    return wrong.length > 0 || table === 'NOT AS EXPECTED' ? 1 : 0;
  },
};

process.exitCode = await runBench(stages, process.argv.slice(2));
