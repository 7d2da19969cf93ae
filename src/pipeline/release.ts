import { TidemarkError } from '../errors.ts';
import { showQuarantined } from '../gate/quarantine.ts';
import type { Receipt } from '../manifest/documents.ts';
import { getJson } from '../store/json.ts';
import { receiptKey } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import { behindGate } from './behind-gate.ts';
import type { Context } from './context.ts';
import { loadBatch } from './load-batch.ts';
import { normalizeSlice } from './normalize-window.ts';

/**
 * Brings a released record in: its page is normalized again, now that the decision lets the record pass. The page's other records are in
 * the warehouse and change nothing. @returns the rows that were loaded.
 * @throws CONFLICT where they are not, since their batch is held: nothing of it may come in by this way.
 */
export async function releaseRecord(context: Context, stream: Stream, id: string): Promise<number> {
  const { records } = await showQuarantined(context.store, stream.name, id);
  const page = records[0]?.page ?? '';
  const measured = (await getJson<Receipt>(context.store, receiptKey(page)))?.value ?? null;
  const ledger = await context.warehouse.ledger(stream.name);
  if ((await behindGate(context, stream, ledger))(page)) throw heldPage(stream, id);
  const source = { key: page, store: context.store, object: page, measured };
  const batch = await normalizeSlice(context, stream, { pages: [source], origin: 'release', window: null }, ledger);
  await loadBatch(context, stream, batch, null);
  return batch.counts.rows;
}

const heldPage = ({ name }: Stream, id: string): TidemarkError =>
  new TidemarkError({
    code: 'CONFLICT',
    message: `the record ${id} of ${name} stands in a page whose batch is not let through yet`,
    hint: 'The decision is kept. Decide about the batch first (`tidemark held list`), then release the record again.',
  });
