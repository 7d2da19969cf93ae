import type { Mutant } from './mutant.ts';

/** Ways to break how pages come into raw, and how the head knows of them. */
export const FETCHING: readonly Mutant[] = [
  {
    name: 'receipt before page',
    breaks: 'R20: the receipt, from which the cursor moves on, is written before the page has landed.',
    seen: /R18|page missing|page altered|R13/,
    edits: [
      {
        file: 'src/fetch/land.ts',
        from: `  const { key, storedSha256 } = same ? { key: same.key, storedSha256: null } : await landBytes(site, landing.slot, landing.page, stored);
  const index = await landIndex(site, landing.page, key);
  const landed = { key, storedSha256, storedBytes: stored.length, index };
  await writeReceipt(job.effects.store, receiptKey(key), receiptFor(job, landing, landed));
`,
        to: `  const key = same?.key ?? pageKey(generationOf(job), landing.slot);
  const storedSha256 = null;
  const landed = { key, storedSha256, storedBytes: stored.length, index: null };
  await writeReceipt(job.effects.store, receiptKey(key), receiptFor(job, landing, landed));
  if (!same) await landBytes(site, landing.slot, landing.page, stored);
  const index = await landIndex(site, landing.page, key);
`,
      },
    ],
  },
  {
    name: 'manifest after commit',
    breaks: 'R20: a window is closed in the head before its manifest stands: whoever dies in between leaves a window that nobody can read.',
    seen: /there is no manifest/,
    edits: [
      {
        file: 'src/fetch/window.ts',
        from: `  return {
    ...(await writeManifest(job.effects.store, manifestFor(job, state, watermark))),`,
        to: `  const manifest = manifestFor(job, state, watermark);
  const { generationPrefix, manifestKey } = await import('../store/keys.ts');
  void job.effects.clock.sleep(1000).then(() => writeManifest(job.effects.store, manifest));
  return {
    key: manifestKey(generationPrefix(manifest, manifest.window, manifest.epoch)),
    manifest,`,
      },
    ],
  },
  {
    name: 'resume goes no further',
    breaks: 'R20: what landed of a window before its process died is taken for all of it.',
    seen: /R18|the table is not the truth/,
    edits: [
      {
        file: 'src/fetch/resume.ts',
        from: `  state.gaps.push(...(await openGaps(job)));
`,
        to: `  state.gaps.push(...(await openGaps(job)));
  if (last) state.position = null;
`,
      },
    ],
  },
  {
    name: 'generation without epoch',
    breaks: 'R11: a process that was taken over lands its pages among those of its successor.',
    seen: /R11/,
    edits: [
      {
        file: 'src/fetch/land.ts',
        from: `  generationPrefix({ stream: job.stream.name, environment: job.environment }, job.window, job.epoch);`,
        to: `  generationPrefix({ stream: job.stream.name, environment: job.environment }, job.window, 1);`,
      },
    ],
  },
  {
    name: 'slot taken for ours',
    breaks: 'R11, R13: other bytes that stand in a slot are taken for the page that was to land there.',
    seen: /CORRUPT|R18|verify says differs|is not the/,
    edits: [
      {
        file: 'src/landing/land.ts',
        from: `  if (standing && hash('sha256', standing) === page.sha256) return { key, storedSha256: null };`,
        to: `  if (standing) return { key, storedSha256: null };`,
      },
    ],
  },
  {
    name: 'short page believed',
    breaks: 'R9: a page that came short is not asked again, although the cursor leads past what it lacks.',
    seen: /R18|the table is not the truth/,
    edits: [
      {
        file: 'src/fetch/settle.ts',
        from: `count < limit && isUnsettled(job, state, best.page); count++`,
        to: `count < limit && best.page.end === 'inferred' && isUnsettled(job, state, best.page); count++`,
      },
    ],
  },
  {
    name: 'chain begins again too late',
    breaks: 'R18: behind a cursor that expired the chain begins again behind the last record that landed, not before it.',
    seen: /R18|the table is not the truth/,
    edits: [
      {
        file: 'src/fetch/order.ts',
        from: `Math.max(window.start, order.reached - uncertainty(order, stream));`,
        to: `Math.max(window.start, order.reached + uncertainty(order, stream));`,
      },
    ],
  },
  {
    name: 'dead letter after commit',
    breaks: 'R18, R21: the gap of a poisoned page is written to dead letter only after its window was committed.',
    seen: /R21|there is no dead letter/,
    edits: [
      {
        file: 'src/fetch/dead-letter.ts',
        from: `  await createJson(store, deadLetterKey(job.stream.name, letter.id), letter);
`,
        to: `  void clock.sleep(600_000).then(() => createJson(store, deadLetterKey(job.stream.name, letter.id), letter));
`,
      },
    ],
  },
  {
    name: 'no dead letter',
    breaks: 'R18, R21: what a poisoned page held is stepped over in silence.',
    seen: /R18|the table is not the truth/,
    edits: [
      {
        file: 'src/fetch/poison.ts',
        from: `  const deadLetter = await writeDeadLetter(job, lost);
  if (lost.gap === null) return;
`,
        to: `  if (lost.gap !== null) return;
  const deadLetter = await writeDeadLetter(job, lost);
  if (lost.gap === null) return;
`,
      },
    ],
  },
  {
    name: 'sweeps look back from now',
    breaks: 'R8: a record that showed late, just after the last sweep, is older than the bound when the next one comes.',
    seen: /the table is not the truth|R19/,
    edits: [{ file: 'src/fetch/plan.ts', from: `Math.min(now, last ?? now) - reach;`, to: `now - reach;` }],
  },
  {
    name: 'watermark over what is open',
    breaks: 'R18: the watermark moves over a poll that was begun and is not committed.',
    seen: /R18/,
    edits: [
      {
        file: 'src/manifest/head.ts',
        from: `  const limits = begun.map((window) => window.start).filter((start) => start < reached);`,
        to: `  const limits = begun.map((window) => window.end).filter((end) => end < from);`,
      },
      {
        file: 'src/manifest/head.ts',
        from: `    if (window.start <= reached) reached = Math.max(reached, window.end);`,
        to: `    reached = Math.max(reached, window.end);`,
      },
    ],
  },
  {
    name: 'budget of one',
    breaks: 'R1: each process takes requests from a budget of its own, so that together they are beyond the limit.',
    seen: /R1:/,
    edits: [
      {
        file: 'src/pipeline/context.ts',
        from: `createRequestBudget(clock, perMinute, { desk: desk(), wall });`,
        to: `createRequestBudget(clock, perMinute, { wall });`,
      },
    ],
  },
];
