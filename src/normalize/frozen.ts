import { type ExactObject, JsonNumber, memberOf } from '../json/exact.ts';
import type { RecordCheck } from '../page/page-index.ts';
import { newFields } from '../schema/contract.ts';
import { fieldText } from '../schema/known-fields.ts';
import type { KeyColumn } from '../stream.ts';
import type { FrozenCheck, RefusedRecord } from './tasks.ts';

const RULE = 'contract: ';

/** Keeps out records with a field that is new below a frozen path, but for those that somebody has released. */
export function frozenCheck({ contract, released }: FrozenCheck): RecordCheck {
  const passes = new Set(released);
  return (record, contentHash) => {
    if (passes.has(contentHash)) return null;
    const first = newFields(record, contract).find(({ term }) => term.mode === 'freeze');
    if (!first) return null;
    const { path, at } = first.term;
    const place = path.length === 0 ? '$' : fieldText(path);
    const field = fieldText(first.path);
    return { rule: `${RULE}${place}`, reason: `the field ${field} is new: ${place} is frozen at schema version ${at}`, value: field };
  };
}

export function keyOf(record: ExactObject, key: readonly KeyColumn[]): (string | null)[] {
  return key.map(({ name, constant }) => {
    const value = memberOf(record, name);
    if (constant !== null) return constant;
    return value instanceof JsonNumber ? value.source : typeof value === 'string' ? value : null;
  });
}

export const isFrozenOut = ({ said }: Pick<RefusedRecord, 'said'>): boolean => 'rule' in said && said.rule.startsWith(RULE);

/** By field that was new: how many records it has kept out. */
export function countFrozen(refused: readonly RefusedRecord[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { said } of refused) {
    if (!('rule' in said) || !said.rule.startsWith(RULE) || said.value === null) continue;
    counts[said.value] = (counts[said.value] ?? 0) + 1;
  }
  return counts;
}
