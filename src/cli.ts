import { CommanderError } from 'commander';
import { EXIT } from './cli/exit.ts';
import { program } from './cli/program.ts';

try {
  await program().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help and version end like errors for commander; only the others are wrong usage.
  process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
}
