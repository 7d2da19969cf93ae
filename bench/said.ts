import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** What a process writes to its standard output. @throws Error where it fails; it has said why on standard error. */
export async function said(command: string, given: readonly string[]): Promise<string> {
  const child = spawn(command, given, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${given.join(' ')} ended with ${code}\n${errors}`);
  return output;
}
