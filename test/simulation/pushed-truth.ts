import type { RecordSource } from '../../src/partner/record-source.ts';
import type { Entry } from '../../src/partner/timeline.ts';
import type { Truth, TruthItem } from '../../src/partner/truth.ts';
import { formatInstant, parseInstant } from '../../src/time.ts';

/** A record that the partner pushes and never lists, as an item of its truth. */
export type PushedItem = Pick<TruthItem, 'key' | 'version' | 'body'>;

/** A version between what is listed, of the same key: only a push can bring it. */
export function unlistedVersion(source: RecordSource, entry: Entry): PushedItem {
  const [time, integer] = source.versionOf(entry);
  const text = source.textOf(entry);
  if (integer !== undefined) {
    const body = text.replace(`"event_version":${integer}`, `"event_version":${integer + 500}`);
    return { key: source.keyOf(entry), version: [time, integer + 500], body };
  }
  const later = formatInstant((parseInstant(time, 'iso') ?? 0) + 1);
  return { key: source.keyOf(entry), version: [later], body: text.replace(`"updated_at":"${time}"`, `"updated_at":"${later}"`) };
}

/** A record whose key no list and no lookup knows. */
export function unlistedKey(source: RecordSource, entry: Entry): PushedItem {
  const [id = '', ...rest] = source.keyOf(entry).toReversed();
  const other = `psh_${id.slice(4)}`;
  const key = [...rest.toReversed(), other];
  return { key, version: source.versionOf(entry), body: source.textOf(entry).replace(id, other) };
}

/** The truth of the lists with what was pushed beside them; of one key the greatest, and of one version all contents. */
export function withPushed(listed: Truth, pushed: readonly PushedItem[]): Truth {
  const byKey = Map.groupBy(pushed, ({ key }) => JSON.stringify(key));
  return {
    totals: listed.totals,
    *[Symbol.iterator]() {
      for (const item of listed) {
        const name = JSON.stringify(item.key);
        yield greatest([item, ...(byKey.get(name) ?? []).map(asItem)]);
        byKey.delete(name);
      }
      for (const items of byKey.values()) yield greatest(items.map(asItem));
    },
  };
}

const asItem = (item: PushedItem): TruthItem => ({ ...item, rivals: [], refused: null });

function greatest([first, ...others]: readonly TruthItem[]): TruthItem {
  let best = first as TruthItem;
  for (const other of others) {
    const order = compare(other, best);
    if (order > 0) best = other;
    else if (order === 0) best = { ...best, rivals: [...best.rivals, other.body, ...other.rivals] };
  }
  return best;
}

function compare({ version: [time, integer = 0] }: TruthItem, { version: [otherTime, otherInteger = 0] }: TruthItem): number {
  return (parseInstant(time, 'iso') ?? 0) - (parseInstant(otherTime, 'iso') ?? 0) || integer - otherInteger;
}
