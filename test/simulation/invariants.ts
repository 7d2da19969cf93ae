import { hash } from 'node:crypto';
import type { Breach } from '../../src/certify/certificate.ts';
import type { Micros } from '../../src/clock.ts';
import type { Engine } from '../../src/engine.ts';
import type { DeadLetter, Head, Manifest, PendingWindow, Window } from '../../src/manifest/documents.ts';
import { deadLetterKey, deadLetterPrefix, headKey, parseRawKey, windowName } from '../../src/store/keys.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { formatInstant } from '../../src/time.ts';
import { checkHeld } from './gate-invariant.ts';
import type { SimulatedProcess } from './process.ts';
import { Violation } from './scheduler.ts';
import type { Witness } from './witness.ts';

/** What must hold at every step, told of every write to the bucket and of every COMMIT. */
export class Invariants {
  /** The first that was found; the scheduler throws it, where the program cannot catch it. */
  violation: unknown = null;
  readonly #store: ObjectStore;
  readonly #engine: Engine;
  readonly #streams: readonly string[];
  /** SHA-256 of everything under raw/ as it was created. */
  readonly #raw = new Map<string, string>();
  /** Who lands in a generation, by stream, window and epoch; and who holds a stream, by stream and epoch. */
  readonly #owners = new Map<string, string>();
  readonly #heads = new Map<string, Head>();
  readonly #watermarks = new Map<string, Micros>();
  /** Every poll that was ever committed, by stream and manifest. */
  readonly #polls = new Map<string, Map<string, Window>>();
  readonly #letters = new Set<string>();
  readonly #witness: Witness;

  constructor(store: ObjectStore, engine: Engine, streams: readonly string[], witness: Witness) {
    this.#witness = witness;
    this.#store = store;
    this.#engine = engine;
    this.#streams = streams;
  }

  /** Told of every write that was made. */
  written(process: SimulatedProcess, action: 'create' | 'replace' | 'remove', key: string, body: Buffer | null): void {
    try {
      if (key.startsWith('certificates/') && action !== 'create')
        throw new Violation(`R19: ${process.name} ${action}s ${key}: what was certified never changes`);
      if (key.includes('/breaches/') && body) this.#breached(process, key, body);
      if (key.startsWith('dead-letter/')) this.#letters.add(key);
      if (key.startsWith('raw/')) this.#rawWritten(process, action, key, body);
      for (const stream of this.#streams) if (key === headKey(stream) && body) this.#headWritten(process, stream, body);
    } catch (error) {
      this.violation ??= error;
    }
  }

  #rawWritten(process: SimulatedProcess, action: string, key: string, body: Buffer | null): void {
    if (action !== 'create' || !body) throw new Violation(`R13: ${process.name} ${action}s ${key}: raw history is immutable`);
    this.#raw.set(key, hash('sha256', body));
    const name = parseRawKey(key);
    if (name?.file.kind === 'manifest') this.#manifestWritten(process, key, body);
    // A recovered receipt is written by whoever finds the page, beside it.
    if (name?.file.kind !== 'page') return;
    // A backfill counts epochs of its own, in windows of its own.
    const generation = `${name.stream} ${windowName(name.window)} ${name.epoch}`;
    const owner = this.#owners.get(generation) ?? process.name;
    this.#owners.set(generation, owner);
    if (owner !== process.name) throw new Violation(`R11: ${process.name} lands ${key} in the generation of ${owner}`);
  }

  /** Whoever reads the manifest, the watermark among them, finds out of its gaps by their letters. */
  #manifestWritten(process: SimulatedProcess, key: string, body: Buffer): void {
    const { stream, gaps } = JSON.parse(body.toString()) as Manifest;
    for (const { deadLetter } of gaps)
      if (!this.#letters.has(deadLetterKey(stream, deadLetter)))
        throw new Violation(`R21: ${process.name} writes ${key}, and its dead letter ${deadLetter} is not there`);
  }

  /** The partner keeps its lateness bound here. */
  #breached(process: SimulatedProcess, key: string, body: Buffer): void {
    const { cause, samples } = JSON.parse(body.toString()) as Breach;
    // What the partner pushes and never lists may come at any time.
    const isPushed = samples.every(({ page }) => parseRawKey(page)?.window.kind === 'push');
    if (cause === 'source' && !isPushed) throw new Violation(`R19: ${process.name} writes ${key}: the hour was certified too early`);
  }

  #headWritten(process: SimulatedProcess, stream: string, body: Buffer): void {
    const head = JSON.parse(body.toString()) as Head;
    const before = this.#heads.get(stream);
    this.#heads.set(stream, head);
    this.#witness.saw(stream, head.open, process.scheduler.now());
    const polls = this.#polls.get(stream) ?? new Map<string, Window>();
    this.#polls.set(stream, polls);
    for (const { window, manifest } of head.pending) if (window.kind === 'poll') polls.set(manifest, window);
    const taken = !before || head.epoch !== before.epoch;
    const holder = `${stream} ${head.epoch}`;
    if (taken) this.#owners.set(holder, process.name);
    if (this.#owners.get(holder) !== process.name && !isOfPushes(before, head))
      throw new Violation(`R12: ${process.name} changes the head in the epoch of ${this.#owners.get(holder)}`);
    if (before && head.seq !== before.seq + 1) throw new Violation(`the head of ${stream} goes from ${before.seq} to ${head.seq}`);
    if (before && head.epoch < before.epoch) throw new Violation(`the epoch of ${stream} falls`);
    if (before?.watermark && (head.watermark ?? 0) < before.watermark) throw new Violation(`the watermark of ${stream} falls`);
  }

  /** The warehouse's watermark never passes a poll that is not loaded, nor an open gap; nor does anything pass the gate. */
  async committed(): Promise<void> {
    try {
      await this.#checkWatermarks();
      for (const stream of this.#streams) await checkHeld(this.#store, this.#engine, stream);
    } catch (error) {
      this.violation ??= error;
    }
  }

  async #checkWatermarks(): Promise<void> {
    for (const stream of this.#streams) {
      const reached = await this.#watermarkOf(stream);
      const before = this.#watermarks.get(stream) ?? 0;
      if (reached === null || reached === before) continue;
      if (reached < before) throw new Violation(`R24: the warehouse's watermark of ${stream} falls`);
      this.#watermarks.set(stream, reached);
      await this.#checkWatermark(stream, before, reached);
    }
  }

  async #watermarkOf(stream: string): Promise<Micros | null> {
    const [found] = await this.#engine.rows("SELECT 1 AS found FROM information_schema.tables WHERE table_name = 'watermark'");
    if (!found) return null;
    const [row] = await this.#engine.rows(`SELECT watermark FROM tidemark.watermark WHERE stream = '${stream}'`);
    return row ? Number(row['watermark']) : null;
  }

  async #checkWatermark(stream: string, before: Micros, reached: Micros): Promise<void> {
    const said = `R18: the warehouse's watermark of ${stream} moves to ${formatInstant(reached)}`;
    const head = this.#heads.get(stream);
    if (!head) throw new Violation(`${said} without a head`);
    const rows = await this.#engine.rows(`SELECT batch FROM tidemark.ledger WHERE stream = '${stream}'`);
    const loaded = new Set(rows.map((row) => row['batch']));
    const waiting = new Set(
      head.pending.filter(({ batches }) => !batches?.every((batch) => loaded.has(batch))).map(({ manifest }) => manifest),
    );
    const polls = [...(this.#polls.get(stream) ?? [])].filter(([manifest]) => !waiting.has(manifest)).map(([, window]) => window);
    const covered = joined(polls);
    if (covered < reached) throw new Violation(`${said}, but polls are loaded to ${formatInstant(covered)} only`);
    const gaps = await this.#gaps(stream);
    for (const { isOpen, from, to } of gaps) {
      if (isOpen && from < reached && to > before) throw new Violation(`${said} past the gap from ${formatInstant(from)}`);
    }
    const passed = polls.filter(({ end }) => end <= reached);
    await this.#witness.check(stream, passed, gaps);
  }

  async #gaps(stream: string): Promise<(NonNullable<DeadLetter['gap']> & { readonly isOpen: boolean })[]> {
    const keys: string[] = [];
    for await (const { key } of this.#store.list(deadLetterPrefix(stream))) keys.push(key);
    const letters = keys.filter((key) => !/\.(resolved|lookup-\d+)\.json$/.test(key));
    const read = async (key: string): Promise<DeadLetter> => JSON.parse(String((await this.#store.get(key))?.body)) as DeadLetter;
    const gaps = await Promise.all(
      letters.map(async (key) => ({ gap: (await read(key)).gap, isOpen: !keys.includes(key.replace(/\.json$/, '.resolved.json')) })),
    );
    return gaps.flatMap(({ gap, isOpen }) => (gap ? [{ ...gap, isOpen }] : []));
  }

  /** Nothing under raw/ has other bytes than when it was created. */
  async checkRaw(): Promise<void> {
    const missing = new Set(this.#raw.keys());
    for await (const { key } of this.#store.list('raw/')) {
      const body = (await this.#store.get(key))?.body;
      if (!body || hash('sha256', body) !== this.#raw.get(key)) throw new Violation(`R13: the bytes of ${key} have changed`);
      missing.delete(key);
    }
    if (missing.size > 0) throw new Violation(`R13: ${[...missing][0]} is gone`);
  }
}

/** Listeners need no lease: they change nothing but their own windows, and add what these landed. */
function isOfPushes(before: Head | undefined, head: Head): boolean {
  if (!before) return true;
  const rest = ({ seq: _seq, opId: _opId, pushes: _pushes, pending, ...others }: Head): string =>
    JSON.stringify({ ...others, pending: pending.filter(({ window }) => window.kind !== 'push') });
  const pushed = ({ pending }: Head): PendingWindow[] => pending.filter(({ window }) => window.kind === 'push');
  const kept = new Set(pushed(head).map((entry) => JSON.stringify(entry)));
  return rest(before) === rest(head) && pushed(before).every((entry) => kept.has(JSON.stringify(entry)));
}

/** How far windows reach from the first of them without a hole. */
function joined(windows: readonly Window[]): Micros {
  const [first, ...rest] = windows.toSorted((a, b) => a.start - b.start);
  return rest.reduce((end, window) => (window.start <= end ? Math.max(end, window.end) : end), first?.end ?? 0);
}
