import { fileURLToPath } from 'node:url';
import type { StartOptions } from '../support/tidemark.ts';

const DIE_AT = fileURLToPath(new URL('./processes/die-at.ts', import.meta.url));
const DIE_AT_S3 = fileURLToPath(new URL('./processes/die-at-s3.ts', import.meta.url));

/** Options for a process that sends itself a signal at one exact moment, so that nothing depends on who is faster (processes/die-at.ts). */
export const dyingAt = (moment: string, signal: NodeJS.Signals = 'SIGKILL', onS3 = false): StartOptions => ({
  preload: onS3 ? [DIE_AT, DIE_AT_S3] : [DIE_AT],
  environment: { DIE_AT: moment, DIE_OF: signal },
});
