import type { ObjectStore } from '../../src/store/object-store.ts';
import { textAt } from './contract.ts';
import { bodyBytes, type Ledger, type Told } from './writer.ts';

/** What writers were told (writer.ts), held against what stands. Each gives what is wrong; nothing where all is well. */

/** Every acknowledged entry stands at its place, none stands twice, and the number says how many there are. */
export function judgeEntries({ seq, applied }: Ledger, told: readonly Told[]): string[] {
  const wrong: string[] = [];
  const begun = new Set(told.flatMap((each) => (each.did === 'began' && 'entry' in each ? [each.entry] : [])));
  if (seq !== applied.length) wrong.push(`the ledger has ${applied.length} entries and says ${seq}`);
  if (new Set(applied).size !== applied.length) wrong.push(`an entry was applied twice: ${applied.join(' ')}`);
  for (const entry of applied) if (!begun.has(entry)) wrong.push(`nobody ever wrote ${entry}`);
  for (const [entry, course] of coursesOf(told)) {
    // An attempt that was refused may be followed by one that was not; what was told last holds.
    const last = course.at(-1);
    const place = applied.indexOf(entry) + 1;
    const isTrue = last?.did === 'entered' ? place === last.seq : last?.did !== 'refused' || place === 0;
    if (!isTrue) wrong.push(`${entry} stands at ${place || 'no place'}: ${course.map(({ did, seq }) => `${did} ${seq ?? ''}`).join(', ')}`);
  }
  return wrong;
}

/** What was told of each entry, in order. */
function coursesOf(told: readonly Told[]): Map<string, { did: Told['did']; seq?: number }[]> {
  return Map.groupBy(
    told.flatMap((each) => ('entry' in each && each.entry !== undefined ? [{ ...each, entry: each.entry }] : [])),
    ({ entry }) => entry,
  );
}

/** Whoever was told that it created a slot is the only one, and its bytes stand; who found it taken left nothing there. */
export async function judgeSlots(store: ObjectStore, told: readonly Told[]): Promise<string[]> {
  const wrong: string[] = [];
  const slots = Map.groupBy(
    told.flatMap((each) => ('body' in each ? [each] : [])),
    ({ slot }) => slot,
  );
  for (const [slot, about] of slots) {
    const standing = await textAt(store, slot);
    const isStanding = (body: string): boolean => bodyBytes(body).toString() === standing;
    if (standing !== undefined && !about.some(({ body }) => isStanding(body))) wrong.push(`${slot} holds what nobody wrote`);
    for (const { did, body } of about) {
      if (did === 'created' && !isStanding(body)) wrong.push(`${slot} was created as ${body}, which does not stand there`);
      if (did === 'found' && standing === undefined) wrong.push(`${slot} was found taken and is not there`);
      if (did === 'found' && isStanding(body)) wrong.push(`${slot} was found taken by ${body}, which stands there`);
    }
    const creators = about.filter(({ did }) => did === 'created').length;
    if (creators > 1) wrong.push(`${slot} has ${creators} creators`);
  }
  return wrong;
}
