import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Commands that have commands of their own: options come after those. */
const GROUPS = 'dead-letter|quarantine|held|schema|warehouse';
/** Those that the program tells somebody to type. */
const SINGLE = 'run|fetch|normalize|load|backfill|replay|status|why|verify|agree|doctor|lookup|serve|scorecard';
const COMMAND = new RegExp(`(?<![\\w/-])tidemark ((?:${GROUPS})(?: [a-z]+)?|${SINGLE})(?![\\w-])`, 'g');

/** How somebody in this folder starts the program: the checkout's own file, or the installed one by its name. */
export function programName(): string {
  const file = fileURLToPath(new URL('../../bin/tidemark', import.meta.url));
  const path = relative(process.cwd(), file);
  if (!import.meta.url.endsWith('.ts')) return 'tidemark';
  return path.startsWith('..') ? file : path;
}

/**
 * The commands that a text names, so that they can be typed here: the program as it was started, and the configuration that was named.
 * @param config empty where none was, as of the demo, whose text names its own.
 */
export function asTyped(text: string, config: string, program = programName()): string {
  const option = config === '' || config === 'tidemark.yaml' ? '' : ` --config ${config}`;
  return text.replaceAll(COMMAND, (_, command: string) => `${program} ${command}${option}`);
}
