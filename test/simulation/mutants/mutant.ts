/** One way to break the program, which the simulation must see. */
export interface Mutant {
  /** A few words: what `--only` takes. */
  readonly name: string;
  /** What it breaks, and which requirement or law that violates. */
  readonly breaks: string;
  /** The violation that it must lead to: the world's other steps may run into something else, which proves nothing of this. */
  readonly seen: RegExp;
  readonly edits: readonly Edit[];
}

/** `from` stands exactly once in the file. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** @throws where the text does not stand there exactly once: the program has moved on, and the mutant with it must. */
export function edited(source: string, { file, from, to }: Edit): string {
  const [before, after, ...more] = source.split(from);
  if (before === undefined || after === undefined || more.length > 0)
    throw new Error(`the mutant is out of date: its text stands ${source.split(from).length - 1} times in ${file}, not once: ${from}`);
  return `${before}${to}${after}`;
}
