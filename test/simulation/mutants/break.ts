import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { mapConcurrent } from '../../../src/concurrency.ts';
import { messageOf } from '../../../src/errors.ts';
import type { Mutant } from './mutant.ts';
import { MUTANTS } from './mutants.ts';
import { type Found, findViolation, type Range, search } from './search.ts';
import { makeTree } from './tree.ts';

/**
 * `node test/simulation/mutants/break.ts [--only NAME] [--worlds N] [--start SEED]`: breaks the program in one way after the other, and
 * shows that the simulation finds each. That a seed holds where nothing is broken tells a mutant's doing from the program's own.
 */
const { values } = parseArgs({
  options: { only: { type: 'string' }, worlds: { type: 'string', default: '60' }, start: { type: 'string', default: '1' } },
});
/** A world uses one core. */
const AT_ONCE = 2;
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

const folder = mkdtempSync(join(tmpdir(), 'tidemark-mutants-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const range: Range = { first: Number(values.start), worlds: Number(values.worlds) };
const whole = makeTree(join(folder, 'whole'), null);

/** Each seed once, whichever mutants it found. */
const controls = new Map<number, Promise<boolean>>();
function holdsWhole(seed: number): Promise<boolean> {
  const control = controls.get(seed) ?? findViolation(whole, { first: seed, worlds: 1 }).then((found) => found === null);
  controls.set(seed, control);
  return control;
}

async function isFound(mutant: Mutant, index: number): Promise<boolean> {
  const tree = makeTree(join(folder, String(index)), mutant);
  const other = ({ seed, violation }: Found): boolean => say(`  ${mutant.name}: seed ${seed} violates something else: ${violation}`);
  try {
    const found = await search(tree, range, mutant.seen, other);
    const isItsDoing = found !== null && (await holdsWhole(found.seed));
    if (!found) say(`NOT FOUND in ${range.worlds} worlds: ${mutant.name}. ${mutant.breaks}`);
    else if (isItsDoing) say(`found by seed ${found.seed} after ${found.worlds} worlds: ${mutant.name}: ${found.violation}`);
    else say(`NOT TOLD APART: seed ${found.seed} violates the program as it is, too: ${mutant.name}`);
    return isItsDoing;
  } catch (error) {
    say(`DOES NOT RUN: ${mutant.name}: ${messageOf(error)}`);
    return false;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

const chosen = MUTANTS.filter(({ name }) => values.only === undefined || name === values.only);
const found = (await mapConcurrent(chosen, AT_ONCE, isFound)).filter(Boolean).length;
say(`${found} of ${chosen.length} mutants found`);
process.exit(found === chosen.length && found > 0 ? 0 : 1);
