import { hostname } from 'node:os';

/** The variables of the process. Functions take them as an argument; only src/config.ts hands out the real ones. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Names this machine or container in leases and logs. */
export function hostName(environment: Environment): string {
  return environment['HOSTNAME'] || hostname();
}

/** Whether output to a stream is coloured: NO_COLOR and FORCE_COLOR decide, else whether it is a terminal. */
export function colorWanted(environment: Environment, isTerminal: boolean): boolean {
  if (environment['NO_COLOR']) return false;
  if (environment['FORCE_COLOR']) return environment['FORCE_COLOR'] !== '0';
  return isTerminal && environment['TERM'] !== 'dumb';
}

/** Whether the program runs under continuous integration: no live progress there. */
export function isCI(environment: Environment): boolean {
  return Boolean(environment['CI']) && environment['CI'] !== 'false';
}

/** Which of how many this process is, where a batch array or an indexed job started it; from 0. */
export interface ArrayPlace {
  readonly index: number;
  /** Null where only the index is told, as by Kubernetes. */
  readonly count: number | null;
}

/** @returns null outside of AWS Batch array jobs and Kubernetes indexed jobs. */
export function arrayPlace(environment: Environment): ArrayPlace | null {
  const index = wholeNumber(environment['AWS_BATCH_JOB_ARRAY_INDEX'] ?? environment['JOB_COMPLETION_INDEX']);
  return index === null ? null : { index, count: wholeNumber(environment['AWS_BATCH_JOB_ARRAY_SIZE']) };
}

const wholeNumber = (text: string | undefined): number | null => (text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null);
