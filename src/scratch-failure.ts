import { messageOf, TidemarkError } from './errors.ts';

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
};

/** A refusal of the file system in the scratch folder, with what to do about it; anything else is returned as it is. */
export function scratchFailure(error: unknown, folder: string): unknown {
  const errno = error instanceof TidemarkError ? saidByDuckDB(error, folder) : (error as NodeJS.ErrnoException | null)?.code;
  if (errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) return error;
  return new TidemarkError({
    code: 'STORE',
    message: `the scratch folder ${folder} cannot be written: ${PROBLEMS[errno] ?? messageOf(error)}`,
    hint: 'What has landed is kept, and nothing was published or loaded. Make room there, or name another folder as workers.scratch; then run again.',
    data: { folder, errno },
    cause: error,
  });
}

/** What the file system refuses DuckDB is in the text of its error alone, with the file's path. */
function saidByDuckDB({ code, message }: TidemarkError, folder: string): string | undefined {
  return code === 'WAREHOUSE' && message.includes(folder) && message.includes('No space left on device') ? 'ENOSPC' : undefined;
}
