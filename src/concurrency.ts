/** Runs `work` on each item, at most `limit` at a time. @returns the results in the items' order; the first failure ends the rest. */
export async function mapConcurrent<T, R>(items: readonly T[], limit: number, work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = Array.from({ length: items.length });
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      try {
        results[index] = await work(items[index] as T, index);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, lane));
  for (const settled of lanes) if (settled.status === 'rejected') throw settled.reason;
  return results;
}

/** The same of items that come one after the other. None is asked for before somebody is free to work on it. */
export async function forEachConcurrent<T>(items: AsyncIterable<T>, limit: number, work: (item: T) => Promise<void>): Promise<void> {
  const source = items[Symbol.asyncIterator]();
  let isOver = false;
  const lane = async (): Promise<void> => {
    while (!isOver) {
      try {
        const next = await source.next();
        if (next.done) isOver = true;
        else await work(next.value);
      } catch (error) {
        isOver = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: limit }, lane));
  await source.return?.();
  for (const settled of lanes) if (settled.status === 'rejected') throw settled.reason;
}

/** As Promise.all, but a failure is told only once nothing is running any more: what was begun may use files that the caller removes. */
export async function allDone<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return Promise.all([one, other]);
}

export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** Lets one piece of work go on at a time, in the order in which they come. The failure of one does not end the next. */
export function turns(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work, work);
    last = result.catch(() => undefined);
    return result;
  };
}
