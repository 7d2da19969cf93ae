import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { edited, type Mutant } from './mutant.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** What the simulation runs from. */
const PARTS = ['src', 'test', 'bin', 'package.json', 'tsconfig.json'];

/** A copy of the program in a folder of its own, broken by the mutant where one is given. @returns the folder. */
export function makeTree(folder: string, mutant: Mutant | null): string {
  mkdirSync(folder, { recursive: true });
  for (const part of PARTS) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const edit of mutant?.edits ?? []) {
    const path = join(folder, edit.file);
    writeFileSync(path, edited(readFileSync(path, 'utf8'), edit));
  }
  return folder;
}
