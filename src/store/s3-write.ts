import { retrying } from '../retry.ts';
import { writeRefusal } from './s3-failure.ts';
import { S3_LIMITS, type S3Effects } from './s3-limits.ts';

/** What a conditional write asks for: that the key is free, or that the object's tag still is this one. */
export type Condition = { readonly kind: 'free' } | { readonly kind: 'tag'; readonly tag: string };

/** What a HEAD tells: the tag, and whose write it was. */
export interface Stamp {
  readonly tag: string;
  readonly writer: string | undefined;
}

export interface ConditionalWrite {
  readonly condition: Condition;
  /** From writerName; in the metadata of the object that this write makes. */
  readonly writer: string;
  /** Sends it, once. @returns the new tag. */
  readonly send: () => Promise<string>;
  /** Asks, once, what stands. */
  readonly head: () => Promise<Stamp | null>;
}

type Verdict =
  | { readonly verdict: 'written'; readonly tag: string }
  | { readonly verdict: 'refused' }
  | { readonly verdict: 'again' }
  /** An answer was lost, and what stands now does not tell whether this write stood before it. */
  | { readonly verdict: 'unknown' };

/** Says of what stands whether its key was ever replaced: where it was not, the standing writer is the only one there ever was. */
export const writerName = (condition: Condition, id: string): string => `${condition.kind === 'free' ? CREATED : 'replaced-'}${id}`;
const CREATED = 'created-';

/**
 * Sends a conditional write until its outcome is known. @returns the new tag, or null where the condition does not hold.
 * @throws the last lost answer, where neither sending again nor looking could tell.
 */
export async function writeUntilKnown(write: ConditionalWrite, effects: S3Effects): Promise<string | null> {
  let lost: unknown;
  const { value } = await retrying<Verdict>(S3_LIMITS.write, effects, async () => {
    const { verdict, error } = await sendOnce(write, lost !== undefined);
    lost = error ?? lost;
    return verdict.verdict === 'again' ? { done: false, value: verdict, retryAfterMs: null } : { done: true, value: verdict };
  });
  if (value.verdict === 'written') return value.tag;
  if (value.verdict === 'refused') return null;
  throw lost ?? collided();
}

/** @returns the verdict, and the error where the answer was lost. */
async function sendOnce(write: ConditionalWrite, doubtful: boolean): Promise<{ verdict: Verdict; error?: unknown }> {
  try {
    return { verdict: { verdict: 'written', tag: await write.send() } };
  } catch (error) {
    const refusal = writeRefusal(error);
    if (refusal === 'failed') throw error;
    if (refusal === 'collision') return { verdict: { verdict: 'again' } };
    const lost = refusal === 'unknown' ? { error } : {};
    return { verdict: await look(write, doubtful || refusal === 'unknown'), ...lost };
  }
}

/** A look that fails tells nothing; another send under the same condition does no harm. */
async function look(write: ConditionalWrite, doubtful: boolean): Promise<Verdict> {
  try {
    return judge(await write.head(), write, doubtful);
  } catch {
    return { verdict: doubtful ? 'again' : 'refused' };
  }
}

/**
 * What stands tells whose write was made.
 * @param doubtful whether the answer to this send, or to an earlier one, was lost: then the write may have been made unseen.
 */
export function judge(
  standing: Stamp | null,
  { condition, writer }: Pick<ConditionalWrite, 'condition' | 'writer'>,
  doubtful: boolean,
): Verdict {
  if (standing?.writer === writer) return { verdict: 'written', tag: standing.tag };
  if (!doubtful) return { verdict: 'refused' };
  if (condition.kind === 'tag') return { verdict: standing?.tag === condition.tag ? 'again' : 'unknown' };
  if (standing === null) return { verdict: 'again' };
  return { verdict: standing.writer?.startsWith(CREATED) ? 'refused' : 'unknown' };
}

function collided(): Error {
  return Object.assign(new Error('other conditional writes to the same key were under way each time'), {
    name: 'ConditionalRequestConflict',
    $metadata: { httpStatusCode: 409 },
  });
}
