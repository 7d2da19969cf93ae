import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freeBytes } from './machine.ts';

/** A command that measures in a folder of its own. */
export interface Bench<Options> {
  readonly name: string;
  readonly help: string;
  /** @throws Error with what is wrong. @returns null where help is asked for. */
  readonly parse: (args: readonly string[]) => Options | null;
  /** What the folder holds at its most. */
  readonly bytes: (options: Options) => number;
  /** @returns the exit code. */
  readonly run: (folder: string, options: Options, say: (doing: string) => void) => Promise<number>;
}

/** Runs it in a folder that is removed at the end, however that comes. @returns the exit code. */
export async function runBench<Options>(bench: Bench<Options>, args: readonly string[]): Promise<number> {
  const options = optionsOf(bench, args);
  if (typeof options === 'number') return options;
  const need = bench.bytes(options);
  if ((await freeBytes(tmpdir())) < need) {
    process.stderr.write(
      `${bench.name}: ${gigabytes(need)} are needed in ${tmpdir()}; set TMPDIR to a folder that has them, or measure less\n`,
    );
    return 2;
  }
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const clean = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  process.once('SIGINT', () => {
    clean();
    process.exit(130);
  });
  try {
    process.stderr.write(`${gigabytes(need)} at most in ${folder}, which is removed at the end\n`);
    return await bench.run(folder, options, (doing) => process.stderr.write(`  ${doing}\n`));
  } finally {
    clean();
  }
}

function optionsOf<Options>({ name, help, parse }: Bench<Options>, args: readonly string[]): Options | number {
  try {
    const options = parse(args);
    if (options) return options;
    process.stdout.write(help);
    return 0;
  } catch (error) {
    process.stderr.write(`${name}: ${(error as Error).message}\n\n${help}`);
    return 2;
  }
}

/** @throws Error where it is none. */
export function wholeNumber(name: string, text: string | undefined, otherwise: number, least: number): number {
  const value = text === undefined ? otherwise : Number(text.replaceAll('_', ''));
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`${name} is a whole number from ${least} on, not ${text}`);
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
