import { isTidemarkError, messageOf, TidemarkError } from './errors.ts';

interface ErrorPlace {
  readonly path?: string;
  readonly sql?: string;
}

/** DuckDB says what went wrong in its text alone; this is where the texts of the pinned version are known. */
export function engineError(error: unknown, place: ErrorPlace): TidemarkError {
  if (isTidemarkError(error)) return error;
  const message = messageOf(error);
  const data = { ...(place.path ? { path: place.path } : {}), ...(place.sql ? { statement: place.sql.slice(0, 300) } : {}) };
  const found = KNOWN.find(({ pattern }) => pattern.test(message)) ?? OTHER;
  return new TidemarkError({
    code: found.code,
    message: found.say(place.path ?? 'The database', firstLine(message)),
    hint: found.hint,
    transient: found.transient ?? false,
    data,
    cause: error,
  });
}

/** Whether a statement ended because `Engine.interrupt` was called. */
export function isInterrupted(error: unknown): boolean {
  return isTidemarkError(error, 'WAREHOUSE') && INTERRUPT.test(messageOf(error.cause));
}

interface Known {
  readonly pattern: RegExp;
  readonly code: 'WAREHOUSE' | 'WAREHOUSE_BUSY' | 'WAREHOUSE_VERSION';
  readonly say: (subject: string, message: string) => string;
  readonly hint: string;
  readonly transient?: boolean;
}

const INTERRUPT = /^INTERRUPT Error/;
const UNCHANGED = 'The open transaction was rolled back; what was committed before is there.';

const KNOWN: readonly Known[] = [
  {
    pattern: /Conflicting lock is held|Could not set lock on file/,
    code: 'WAREHOUSE_BUSY',
    say: (path, message) => `${path} is open in another process: ${message}`,
    hint: 'Nothing was changed. DuckDB lets one process in at a time: close the other one, or try again when it is done.',
    transient: true,
  },
  {
    pattern: /Trying to read a database file with version number/,
    code: 'WAREHOUSE_VERSION',
    say: (path, message) => `${path} was written by another version of DuckDB: ${message}`,
    hint: 'The file was not touched. Export it with the version that wrote it (EXPORT DATABASE), or name another file and replay.',
  },
  {
    pattern: /not a valid DuckDB database file/,
    code: 'WAREHOUSE_VERSION',
    say: (path) => `${path} is there, and it is not a DuckDB database`,
    hint: 'The file was not touched. Name another file, or move this one away.',
  },
  {
    pattern: /^IO Error: (Cannot open|Could not read from file|Could not create)/,
    code: 'WAREHOUSE',
    say: (path, message) => `${path} cannot be opened: ${message}`,
    hint: 'Nothing was changed. Check that the file and its folder are there, and that this process may read and write them.',
  },
  {
    pattern: INTERRUPT,
    code: 'WAREHOUSE',
    say: () => 'A statement was interrupted',
    hint: UNCHANGED,
    transient: true,
  },
  {
    pattern: /^Out of Memory Error/,
    code: 'WAREHOUSE',
    say: (_, message) => `DuckDB needs more memory than it may have: ${message}`,
    hint: `${UNCHANGED} Raise workers.memory, lower workers.threads or workers.batchRecords, or give the scratch folder more room.`,
  },
  {
    pattern: /No space left on device|disk full/i,
    code: 'WAREHOUSE',
    say: (path, message) => `${path}: the disk is full: ${message}`,
    hint: `${UNCHANGED} Make room and run the same again.`,
    transient: true,
  },
];

const OTHER: Known = {
  pattern: /$/,
  code: 'WAREHOUSE',
  say: (path, message) => `${path} failed: ${message}`,
  hint: UNCHANGED,
};

const firstLine = (message: string): string => message.split('\n', 1)[0] ?? message;
