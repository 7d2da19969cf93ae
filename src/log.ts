import { destination, type Logger, pino } from 'pino';

export type Log = Logger;

/** One JSON line an event, to stderr, written before the call returns: a process that is killed has said what it did. */
export function createLog(level: 'debug' | 'info' | 'warn' | 'error' | 'silent' = 'info'): Log {
  return pino({ level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` }, destination({ dest: 2, sync: true }));
}

export const silentLog: Log = pino({ level: 'silent' });
