import type { FetchTotals } from '../manifest/documents.ts';
import { noTotals } from '../manifest/totals.ts';
import type { StreamProgress } from './demo.ts';
import type { WorkerEvent } from './worker.ts';

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };
const NOTHING: FetchTotals = noTotals();
const NAMES = Object.keys(NOTHING) as (keyof FetchTotals)[];

interface Account {
  /** Of the windows that ended. */
  readonly done: Mutable<FetchTotals>;
  /** Of the window that is being fetched. */
  current: FetchTotals;
  rows: number;
}

/** Adds up what the workers say, across processes. */
export class Ledger {
  private readonly accounts = new Map<string, Account>();

  static nothing(stream: string): StreamProgress {
    return { stream, totals: NOTHING, rows: 0 };
  }

  note(event: WorkerEvent): void {
    if (event.stream === undefined) return;
    const account = this.account(event.stream);
    const number = (name: string): number => Number(event[name] ?? 0);
    if (event.msg === 'page landed') account.current = totalsOf(event);
    if (event.msg === 'window committed') {
      account.current = totalsOf(event);
      this.close(account);
    }
    if (event.msg === 'batch loaded') account.rows += number('inserted');
  }

  /** A worker died: what it had asked counts, and the next one counts anew. */
  interrupted(): void {
    for (const account of this.accounts.values()) this.close(account);
  }

  progress(): StreamProgress[] {
    return [...this.accounts]
      .map(([stream, { done, current, rows }]) => ({
        stream,
        totals: sum(done, current),
        rows,
      }))
      .sort((a, b) => (a.stream < b.stream ? -1 : 1));
  }

  private close(account: Account): void {
    for (const name of NAMES) account.done[name] += account.current[name];
    account.current = NOTHING;
  }

  private account(stream: string): Account {
    let account = this.accounts.get(stream);
    if (!account) this.accounts.set(stream, (account = { done: { ...NOTHING }, current: NOTHING, rows: 0 }));
    return account;
  }
}

const totalsOf = (event: WorkerEvent): FetchTotals =>
  Object.fromEntries(NAMES.map((name) => [name, Number(event[name] ?? 0)])) as unknown as FetchTotals;
const sum = (a: FetchTotals, b: FetchTotals): FetchTotals =>
  Object.fromEntries(NAMES.map((name) => [name, a[name] + b[name]])) as unknown as FetchTotals;
