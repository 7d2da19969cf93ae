import { messageOf, TidemarkError } from '../errors.ts';

export function notFound(url: string, key: string): TidemarkError {
  return new TidemarkError({
    code: 'NOT_FOUND',
    message: `there is no object ${key} in ${url}`,
    hint: 'Nothing was changed. Was it expired by a lifecycle rule, or does the configuration point at another store?',
    data: { key },
  });
}

/** What was being done when the operating system refused. */
export interface FileAttempt {
  readonly action: 'read' | 'write' | 'list' | 'remove';
  readonly url: string;
  readonly key: string;
  /** The path that the refusal is about, for the hint. */
  readonly path: string;
}

interface Explanation {
  readonly problem: string;
  readonly hint: string;
  readonly transient?: true;
}

const KEPT = 'Everything that was landed before is kept, and nothing of this object was stored.';

/** By errno: what an operator can do about it. */
function explain(code: string, { path }: FileAttempt): Explanation {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return {
        problem: 'the disk is full',
        hint: `${KEPT} Free space under ${path}, or move the store to a larger disk, then run the same command again.`,
      };
    case 'EACCES':
    case 'EPERM':
      return {
        problem: 'permission denied',
        hint: `${KEPT} Give this user read and write permission on ${path}, or choose another path under \`store:\`.`,
      };
    case 'EROFS':
      return { problem: 'the file system is read-only', hint: `${KEPT} Mount ${path} writable, or choose another path under \`store:\`.` };
    case 'ENOTDIR':
    case 'EISDIR':
      return {
        problem: 'a file stands where a folder is needed, or the other way round',
        hint: `${KEPT} Look at ${path}: did something else write into the store?`,
      };
    case 'EXDEV':
      return { problem: 'the store spans several file systems', hint: `${KEPT} Mount the whole of ${path} on one file system.` };
    case 'ESTALE':
    case 'EAGAIN':
      return {
        problem: 'other processes change it faster than this one',
        hint: 'Whether this change was made is not known. Read the object again, and run fewer processes on one stream.',
        transient: true,
      };
    case 'EMFILE':
    case 'ENFILE':
      return { problem: 'too many open files', hint: `${KEPT} Raise the limit (\`ulimit -n\`), or run fewer workers.`, transient: true };
    default:
      return {
        problem: code,
        hint: `Everything that was landed before is kept. Check the disk under ${path}, then run the same command again.`,
        transient: true,
      };
  }
}

/** A refusal of the file system as a STORE error. */
export function fileFailure(error: unknown, attempt: FileAttempt): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? messageOf(error);
  const { problem, hint, transient = false } = explain(code, attempt);
  return new TidemarkError({
    code: 'STORE',
    message: `cannot ${attempt.action} ${attempt.key || 'anything'} in ${attempt.url}: ${problem}`,
    hint,
    transient,
    data: { key: attempt.key, path: attempt.path, errno: code },
    cause: error,
  });
}
