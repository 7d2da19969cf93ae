import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** `bin/tidemark` as a process of its own, as whoever runs it starts it. */

/** Many processes compile the same files. */
const COMPILE_CACHE = join(tmpdir(), 'tidemark-compile-cache');

const ENTRY = fileURLToPath(new URL('../../bin/tidemark', import.meta.url));

/** One line of the log on standard error. */
export interface LogLine {
  readonly msg: string;
  readonly stream?: string;
  readonly [name: string]: unknown;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** Everything on standard error that is no line of the log. */
  readonly notes: string;
  readonly log: readonly LogLine[];
}

export interface Running {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<Ended>;
}

export interface StartOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder?: string;
  /** Told each line of the log as it comes. */
  readonly watch?: (line: LogLine) => void;
  /** Told every other line on standard error. */
  readonly note?: (text: string) => void;
  /** Modules that the process loads before its own. */
  readonly preload?: readonly string[];
}

export function start(given: readonly string[], options: StartOptions = {}): Running {
  const preload = (options.preload ?? []).map((file) => `--import ${file}`).join(' ');
  const child = spawn(ENTRY, given, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: options.folder,
    env: { ...process.env, CI: '1', NODE_COMPILE_CACHE: COMPILE_CACHE, NODE_OPTIONS: preload, ...options.environment },
  });
  const log: LogLine[] = [];
  let [stdout, notes] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  createInterface({ input: child.stderr }).on('line', (text) => {
    const line = logLine(text);
    if (line) {
      log.push(line);
      options.watch?.(line);
    } else {
      notes += `${text}\n`;
      options.note?.(text);
    }
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, notes, log }));
  });
  return { pid: child.pid ?? 0, kill: (signal) => void child.kill(signal), ended };
}

export const tidemark = (given: readonly string[], options: StartOptions = {}): Promise<Ended> => start(given, options).ended;

/** What a process said, for the message of an assertion. */
export const said = ({ code, signal, stdout, notes, log }: Ended): string =>
  [`code ${code}, signal ${signal}`, stdout, notes, ...log.slice(-40).map((line) => JSON.stringify(line))].join('\n');

function logLine(text: string): LogLine | null {
  try {
    const line: unknown = JSON.parse(text);
    return typeof line === 'object' && line !== null && 'msg' in line ? (line as LogLine) : null;
  } catch {
    return null;
  }
}
