import type { LedgerEntry } from '../load/warehouse.ts';
import { readHead } from '../manifest/state.ts';
import { parseRawKey, windowName } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import type { Context } from './context.ts';

/**
 * Tells the pages of polls that the volume band has not let through: on their way to it, or held. What is replayed is judged by no band, so
 * these must not be: they come with the run, or with the release of what is held. To be asked after the pages were listed.
 */
export async function behindGate(
  { store }: Pick<Context, 'store'>,
  stream: Stream,
  ledger: readonly LedgerEntry[],
): Promise<(page: string) => boolean> {
  const head = stream.quality.volume ? (await readHead(store, stream.name))?.head : null;
  if (!head) return () => false;
  const loaded = new Set(ledger.map(({ batch }) => batch));
  const pending = head.pending.filter(({ batches }) => !batches?.every((batch) => loaded.has(batch)));
  const waiting = [...head.open, ...pending.map(({ window }) => window)].filter(({ kind }) => kind === 'poll');
  const names = new Set(waiting.map(windowName));
  return (page) => {
    const name = parseRawKey(page);
    return name !== null && name.stream === stream.name && names.has(windowName(name.window));
  };
}
