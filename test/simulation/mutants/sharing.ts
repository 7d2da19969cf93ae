import type { Mutant } from './mutant.ts';

/** Ways to break how processes share a store that answers late, twice or not at all. */
export const SHARING: readonly Mutant[] = [
  {
    name: '412 taken for ours',
    breaks: 'R12: after a lost answer, a 412 is taken for the echo of our own write, although another was written.',
    seen: /R12|the head of|INTERNAL|NOT_FOUND/,
    edits: [
      {
        file: 'src/store/s3-write.ts',
        from: `  if (condition.kind === 'tag') return`,
        to: `  if (standing) return { verdict: 'written', tag: standing.tag };
  if (condition.kind === 'tag') return`,
      },
    ],
  },
  {
    name: '409 taken for 412',
    breaks: 'R11: a write that met another one under way is taken for refused, and nobody sends it again.',
    seen: /INTERNAL|there is no object|batch missing/,
    edits: [
      {
        file: 'src/store/s3-write.ts',
        from: `    if (refusal === 'collision') return { verdict: { verdict: 'again' } };`,
        to: `    if (refusal === 'collision') return { verdict: { verdict: 'refused' } };`,
      },
    ],
  },
  {
    name: 'head unfenced',
    breaks: 'R12: whoever was taken over goes on to change the head.',
    seen: /R12/,
    edits: [
      {
        file: 'src/manifest/state.ts',
        from: `  if (epoch !== null && before.epoch !== epoch) throw fenced(stream, epoch, before);
`,
        to: `  if (epoch !== null && before.epoch < epoch) throw fenced(stream, epoch, before);
`,
      },
    ],
  },
  {
    name: 'compare-and-set ignored',
    breaks: 'R12: a change of the head that was refused is taken for made.',
    seen: /R1[12]|INTERNAL/,
    edits: [
      {
        file: 'src/manifest/state.ts',
        from: `  return (await replaceJson(store, key, head, tag)) !== null;`,
        to: `  await replaceJson(store, key, head, tag);
  return true;`,
      },
    ],
  },
  {
    name: 'takeover in the same epoch',
    breaks: 'R12: a stream is taken over without a new epoch, so that nothing fences its holder before.',
    seen: /R12/,
    edits: [
      { file: 'src/manifest/head.ts', from: `epoch: head.epoch + 1, holder });`, to: `epoch: Math.max(1, head.epoch), holder });` },
      {
        file: 'src/manifest/lease.ts',
        from: `head.holder?.id === holder.id && head.epoch === (judged?.epoch ?? 0) + 1 ? head : null;`,
        to: `head.holder?.id === holder.id ? head : null;`,
      },
    ],
  },
];
