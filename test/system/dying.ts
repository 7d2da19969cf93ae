import { fileURLToPath } from 'node:url';
import type { StartOptions } from '../support/tidemark.ts';

const DIE_AT = fileURLToPath(new URL('./processes/die-at.ts', import.meta.url));

/** Options for a process that sends itself a signal at one exact moment, so that nothing depends on who is faster (processes/die-at.ts). */
export const dyingAt = (moment: string, signal: NodeJS.Signals = 'SIGKILL'): StartOptions => ({
  preload: [DIE_AT],
  environment: { DIE_AT: moment, DIE_OF: signal },
});
