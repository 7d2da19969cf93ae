import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Job } from './setup.ts';

/** The partner in a process of its own. */
export interface PartnerProcess {
  readonly url: string;
  /** Ends it. @returns the CPU seconds that it took. */
  stop(): Promise<number>;
}

export async function startPartnerProcess(job: Job): Promise<PartnerProcess> {
  const child = fork(fileURLToPath(new URL('./partner.ts', import.meta.url)), [JSON.stringify(job)], { execArgv: process.execArgv });
  const { url } = (await messageOf(child)) as { url: string };
  return {
    url,
    stop: async () => {
      child.send('end');
      return ((await messageOf(child)) as { cpuSeconds: number }).cpuSeconds;
    },
  };
}

async function messageOf(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  const gone = once(child, 'exit', { signal: ended.signal }).then(([code]) => {
    throw new Error(`the partner ended with ${String(code)}`);
  });
  try {
    const [message] = await Promise.race([once(child, 'message', { signal: ended.signal }), gone]);
    return message;
  } finally {
    gone.catch(() => undefined);
    ended.abort();
  }
}
