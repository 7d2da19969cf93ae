import { parseArgs } from 'node:util';
import { wholeNumber } from './command.ts';
import { DEFAULT_WORKLOAD, type Workload } from './workload.ts';

export interface Options {
  readonly workload: Workload;
  /** Times that the normalizer and what it is held against are run, in turns. */
  readonly runs: number;
  /** Takes this run's table as the expected one, and draws its ratios. */
  readonly record: boolean;
}

export const HELP = `bench/run [--events N] [--runs N] [--seed N] [--record]

  Measures fetch, normalize and load, each in a process of its own, and normalize against the textbook query on the same data.
  --events N   payments events; default ${DEFAULT_WORKLOAD.events.toLocaleString('en')}; 100000 for a quick look, 2000000 for two batches
  --runs N     rounds of normalize, the floor and the textbook query; medians count; default 5
  --seed N     another workload; default ${DEFAULT_WORKLOAD.seed}
  --record     writes the hash of the resulting table to bench/expected.json, and draws the ratios in bench/ratios.svg
  Ends with 1 where the table is not the expected one. A bar that is missed is said, and is no error: the machine may be busy.
`;

/** @throws Error with what is wrong. @returns null where help is asked for. */
export function parseOptions(args: readonly string[]): Options | null {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({ args: [...args], options: { events: text, runs: text, seed: text, record: flag, help: flag } });
  if (values.help) return null;
  return {
    workload: {
      seed: wholeNumber('--seed', values.seed, DEFAULT_WORKLOAD.seed, 0),
      events: wholeNumber('--events', values.events, DEFAULT_WORKLOAD.events, 1000),
    },
    runs: wholeNumber('--runs', values.runs, 5, 1),
    record: values.record,
  };
}
