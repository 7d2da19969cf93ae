import { Command } from 'commander';
import { addAgree } from './agree.ts';
import { addBackfill } from './backfill.ts';
import { addDeadLetter } from './decisions.ts';
import { addDemo } from './demo.ts';
import { addHeld } from './held.ts';
import { addDoctor, addStatus, addVerify, addWhy } from './inspect.ts';
import { addLookup } from './lookup.ts';
import { addPartner } from './partner.ts';
import { addQuarantine } from './quarantine.ts';
import { addQuery } from './query.ts';
import { addReplay } from './replay.ts';
import { addRun, addStages } from './run.ts';
import { addSchema } from './schema.ts';
import { addScorecard } from './scorecard.ts';
import { addServe } from './serve.ts';
import { addWarehouse } from './warehouse.ts';

/** The program's commands; each prints its answer to standard output and everything else to standard error. */
export function program(): Command {
  const tidemark = new Command('tidemark')
    .description('Turns an unreliable, paginated, at-least-once HTTP API into an exact, provable warehouse table.')
    .version('0.1.0')
    .exitOverride()
    .addHelpText(
      'after',
      '\nExit codes: 0 done · 1 failed · 2 usage or configuration · 3 source unavailable, try later · 4 a batch is held · 5 incomplete · 6 stale\n\nExample:\n  tidemark demo',
    );
  for (const add of [
    addDemo,
    addRun,
    addServe,
    addStages,
    addBackfill,
    addReplay,
    addStatus,
    addWhy,
    addVerify,
    addAgree,
    addDoctor,
    addScorecard,
    addDeadLetter,
    addLookup,
    addQuarantine,
    addHeld,
    addWarehouse,
    addSchema,
    addQuery,
    addPartner,
  ]) {
    add(tidemark);
  }
  return tidemark;
}
