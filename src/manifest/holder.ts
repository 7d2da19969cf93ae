import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Holder } from './documents.ts';

/** Who holds, or wants to hold, a stream; a holder before its first beat. */
export type HolderInfo = Omit<Holder, 'beat'>;

/**
 * This process. The id is `<boot>:<pid namespace>:<pid>:<start time>:<random>`: with it, another process of the same machine can tell
 * that this one is dead even where its pid was given to somebody else. Parts that the system does not tell are empty.
 */
export function thisProcess(randomId: () => string): HolderInfo {
  const { pid } = process;
  return { id: [bootId(), pidNamespace(), pid, startTime(pid) ?? '', randomId().slice(0, 8)].join(':'), host: hostname(), pid };
}

/**
 * Whether the holder is known to be gone: same machine, same boot, same pid namespace, and its process is not there or is another one.
 * False where that cannot be known: then only its silence tells.
 */
export function isDead(holder: Holder, observer: HolderInfo): boolean {
  const [boot, namespace, , started] = holder.id.split(':');
  const [ownBoot, ownNamespace] = observer.id.split(':');
  if (holder.host !== observer.host || boot !== ownBoot || namespace !== ownNamespace) return false;
  if (!processExists(holder.pid)) return true;
  const current = startTime(holder.pid);
  return Boolean(started) && current !== null && current !== started;
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Field 22 of /proc/<pid>/stat, in ticks since boot; null where there is no such file. Zombies hold nothing: they count as started never. */
function startTime(pid: number): string | null {
  const stat = readText(`/proc/${pid}/stat`);
  // The name in parentheses may itself hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return 'ended';
  return fields[19] ?? null;
}

const bootId = (): string => readText('/proc/sys/kernel/random/boot_id').slice(0, 8);

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replaceAll(/\D/g, '');
  } catch {
    return '';
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
