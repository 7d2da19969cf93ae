import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Measured, runStage } from '../child.ts';
import { type Bench, runBench, wholeNumber } from '../command.ts';
import { describeMachine } from '../machine.ts';
import { median, spread } from '../ratios.ts';
import { type Job, openJob } from '../setup.ts';
import { fetchFromPartner, type Normalized } from '../stages.ts';

/** What it costs that a few records have a value that the fast way would not keep: the same events, with and without. */
interface Options {
  readonly events: number;
  readonly runs: number;
}

const SHARE = 0.01;
const BAR = 1.2;
const BYTES_AN_EVENT = 2000;

const HELP = `bench/run odd [--events N] [--runs N]

  Normalizes the same events twice, in turns: as they are, and with one value in ${SHARE * 100}% of the records that is not as in the others: an
  integer beyond 64 bits, a decimal beyond a double, an object in a text field.
  --events N  default 1000000
  --runs N    rounds; medians count; default 3
`;

type Way = 'stage-normalize.ts' | 'stage-foreign.ts';

const odd: Bench<Options> = {
  name: 'bench odd',
  help: HELP,
  parse: (args) => {
    const text = { type: 'string' } as const;
    const { values } = parseArgs({ args: [...args], options: { events: text, runs: text, help: { type: 'boolean', default: false } } });
    if (values.help) return null;
    return { events: wholeNumber('--events', values.events, 1_000_000, 1000), runs: wholeNumber('--runs', values.runs, 3, 1) };
  },
  bytes: ({ events }) => events * BYTES_AN_EVENT,
  run: async (folder, { events, runs }, say) => {
    const machine = await describeMachine(folder);
    const jobOf = (share: number): Job => ({
      workload: { seed: 7, events, odd: share },
      folder: join(folder, share === 0 ? 'even' : 'odd'),
      partnerUrl: 'http://127.0.0.1:9',
    });
    const [even, withOdd] = [jobOf(0), jobOf(SHARE)];
    say('fetch, of both');
    for (const job of [even, withOdd]) {
      await openJob(job);
      await fetchFromPartner(job);
    }
    const lines: string[] = [];
    for (const [way, name] of [
      ['stage-normalize.ts', 'own pages'],
      ['stage-foreign.ts', 'foreign pages'],
    ] as const) {
      say(`normalize, ${name}`);
      lines.push(line(name, await inTurns(way, even, withOdd, runs), events));
    }
    process.stdout.write(
      `\nmachine    ${machine}\nworkload   ${events.toLocaleString('en')} payments events, odd: ${SHARE * 100}% of them\n\n${lines.join('\n')}\n`,
    );
    return 0;
  },
};

interface Pair {
  readonly even: Measured<Normalized>;
  readonly odd: Measured<Normalized>;
}

async function inTurns(way: Way, even: Job, withOdd: Job, runs: number): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let run = 0; run < runs; run++) pairs.push({ even: await runStage(way, even), odd: await runStage(way, withOdd) });
  return pairs;
}

function line(name: string, pairs: readonly Pair[], events: number): string {
  const times = pairs.map(({ even, odd }) => odd.seconds / even.seconds);
  const cpu = pairs.map(({ even, odd }) => odd.cpuSeconds / even.cpuSeconds);
  const each = (of: keyof Pair): string => ((median(pairs.map((pair) => pair[of].cpuSeconds)) / events) * 1e6).toFixed(1);
  const wrong = pairs.flatMap((pair) => Object.values(pair) as Pair['odd'][]).filter(({ result }) => result.observations !== events);
  const bad = wrong.length > 0 ? `; WRONG: ${JSON.stringify(wrong)}` : '';
  return `${name.padEnd(14)} odd takes ${spread(times)} of the time without (by CPU ${spread(cpu)}: ${each('even')} and ${each('odd')} CPU s/M); bar ${BAR}: ${median(times) <= BAR ? 'ok' : 'MISSED'}${bad}`;
}

process.exitCode = await runBench(odd, process.argv.slice(2));
