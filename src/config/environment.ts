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
