// oxlint-disable-next-line import/no-unassigned-import -- it changes the modules that come after it
import './local-io.ts';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/clock.ts';
import { simulate } from './simulate.ts';
import { told } from './tell.ts';

/** `node test/simulation/run.ts --seed N [--seeds COUNT] [--trace]`: ends with 1 at the first violation, and tells it. */
const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, seeds: { type: 'string', default: '1' }, trace: { type: 'boolean', default: false } },
});
const first = Number(values.seed);
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

for (let seed = first; seed < first + Number(values.seeds) && !process.exitCode; seed++) {
  const began = systemClock.monotonicMs();
  const outcome = await simulate(seed, { whole: values.trace });
  const seconds = ((systemClock.monotonicMs() - began) / 1000).toFixed(1);
  const what = outcome.violation === null ? 'holds' : 'VIOLATED';
  say(
    `seed ${seed} ${what}: ${outcome.steps} steps, ${outcome.keys} keys, ${outcome.virtualDays.toFixed(2)} days, trace ${outcome.hash}, ${seconds} s`,
  );
  if (outcome.violation !== null) say(told(outcome));
  else if (values.trace) say(outcome.trace.join('\n'));
  if (outcome.violation !== null) process.exitCode = 1;
}
process.exit();
