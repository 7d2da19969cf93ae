import { Command, CommanderError } from 'commander';
import { addAgree } from './cli/agree.ts';
import { addBackfill } from './cli/backfill.ts';
import { addDeadLetter } from './cli/decisions.ts';
import { addDemo } from './cli/demo.ts';
import { EXIT } from './cli/exit.ts';
import { addHeld } from './cli/held.ts';
import { addDoctor, addStatus, addVerify, addWhy } from './cli/inspect.ts';
import { addLookup } from './cli/lookup.ts';
import { addPartner } from './cli/partner.ts';
import { addQuarantine } from './cli/quarantine.ts';
import { addQuery } from './cli/query.ts';
import { addReplay } from './cli/replay.ts';
import { addRun, addStages } from './cli/run.ts';
import { addSchema } from './cli/schema.ts';
import { addScorecard } from './cli/scorecard.ts';
import { addServe } from './cli/serve.ts';

/** The program's commands; each prints its answer to standard output and everything else to standard error. */
function program(): Command {
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
    addSchema,
    addQuery,
    addPartner,
  ]) {
    add(tidemark);
  }
  return tidemark;
}

try {
  await program().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help and version end like errors for commander; only the others are wrong usage.
  process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
}
