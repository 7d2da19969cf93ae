import { parseArgs } from 'node:util';
import { startVersitygw } from '../support/versitygw.ts';
import { killRun, type RunOutcome } from './kill-run.ts';

/** `runs.ts --runs 1000 --seed 1`: kill-and-fault runs (kill-run.ts) from that seed on, and what they came to. */
const { values } = parseArgs({ options: { runs: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } } });
const [runs, first] = [Number(values.runs), Number(values.seed)];
/** Most of a run is waiting for processes to start. */
const AT_ONCE = 3;
const TOLD_EVERY = 50;

const server = await startVersitygw();
await server.createBucket('runs');
const began = performance.now();
const outcomes: RunOutcome[] = [];
const faults: Record<string, number> = {};
let next = first;

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const sum = (of: (outcome: RunOutcome) => number): number => outcomes.reduce((total, outcome) => total + of(outcome), 0);
const seconds = (): string => ((performance.now() - began) / 1000).toFixed(0);

async function work(): Promise<void> {
  while (next < first + runs) {
    const seed = next++;
    const outcome = await killRun(server, { seed, bucket: 'runs', processes: 1 + (seed % 2) });
    outcomes.push(outcome);
    for (const [fault, times] of Object.entries(outcome.faults)) faults[fault] = (faults[fault] ?? 0) + times;
    for (const wrong of outcome.wrong) say(`seed ${seed}: ${wrong}`);
    if (outcomes.length % TOLD_EVERY === 0)
      say(`${outcomes.length} of ${runs} runs, ${seconds()} s, ${sum(({ killed }) => killed)} killed`);
  }
}

try {
  await Promise.all(Array.from({ length: AT_ONCE }, work));
} finally {
  await server.close();
}
const failed = outcomes.filter(({ wrong }) => wrong.length > 0).length;
say(`${runs} runs from seed ${first} in ${seconds()} s: ${failed} with something lost or done twice`);
say(`${sum(({ entered }) => entered)} entries and ${sum(({ created }) => created)} objects acknowledged and there`);
say(`${sum(({ unknown }) => unknown)} writes of unknown outcome, ${sum(({ killed }) => killed)} processes killed`);
const list = Object.entries(faults).sort(([a], [b]) => (a < b ? -1 : 1));
say(`${sum(({ requests }) => requests)} requests, of which ${list.map(([fault, times]) => `${times} ${fault}`).join(', ')}`);
process.exitCode = failed === 0 ? 0 : 1;
