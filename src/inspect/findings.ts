import { FINDING_MEANINGS, type Finding, type FindingKind, SAMPLE_LIMIT } from './verify-report.ts';

/** What a check found, counted, with a few samples of each kind: memory stays flat however much is wrong. */
export class Findings {
  readonly #kinds = new Map<FindingKind, { count: number; samples: string[] }>();

  add(kind: FindingKind, sample: string, count = 1): void {
    const found = this.#kinds.get(kind) ?? { count: 0, samples: [] };
    found.count += count;
    if (found.samples.length < SAMPLE_LIMIT) found.samples.push(sample);
    this.#kinds.set(kind, found);
  }

  forget(...kinds: readonly FindingKind[]): void {
    for (const kind of kinds) this.#kinds.delete(kind);
  }

  has(kind: FindingKind): boolean {
    return this.#kinds.has(kind);
  }

  /** In the order in which the meanings stand: from raw bytes to rows. */
  list(): Finding[] {
    const kinds = Object.keys(FINDING_MEANINGS) as FindingKind[];
    return kinds.flatMap((kind) => {
      const found = this.#kinds.get(kind);
      return found ? [{ kind, ...found, meaning: FINDING_MEANINGS[kind] }] : [];
    });
  }
}
