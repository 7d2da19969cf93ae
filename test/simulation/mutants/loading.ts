import type { Mutant } from './mutant.ts';

/** Ways to break how pages become rows, and how rows come into the table. */
export const LOADING: readonly Mutant[] = [
  {
    name: 'no tie-break in the batch',
    breaks: 'The law: of two contents of one version in a batch, the first landed wins, not the greater.',
    seen: /the table is not the truth/,
    edits: [
      { file: 'src/normalize/statements.ts', from: `ORDER BY \${order}, h DESC, p, i) AS place`, to: `ORDER BY \${order}, p, i) AS place` },
    ],
  },
  {
    name: 'no tie-break in the merge',
    breaks: 'The law: of two contents of one version, the one that the table has stays, not the greater.',
    seen: /the table is not the truth/,
    edits: [
      {
        file: 'src/load/merge.ts',
        from: `(\${[\`incoming.\${hash}\`, ...mine].join(', ')}) > (\${[\`curated.\${hash}\`, ...theirs].join(', ')}) AS is_newer`,
        to: `false AS is_newer`,
      },
    ],
  },
  {
    name: 'last writer wins',
    breaks: 'The law, R22: the merge takes whatever comes, also where the table has something greater.',
    seen: /the table is not the truth|R18/,
    edits: [
      {
        file: 'src/load/merge.ts',
        from: `CASE WHEN \${mine} <> \${theirs} THEN \${mine} > \${theirs} END AS is_newer`,
        to: `CASE WHEN \${mine} <> \${theirs} THEN true END AS is_newer`,
      },
    ],
  },
  {
    name: 'key alone suppresses',
    breaks: 'The law, R22: what a loaded batch knows of a key keeps its updates out.',
    seen: /R18|the table is not the truth/,
    edits: [
      {
        file: 'src/normalize/statements.ts',
        from: `WHERE \${same.join(' AND ')} AND (\${theirs.join(', ')}) >= (\${mine.join(', ')}));`,
        to: `WHERE \${same.join(' AND ')} AND \${theirs.length} = \${mine.length});`,
      },
    ],
  },
  {
    name: 'what was never loaded suppresses',
    breaks: 'R12: a batch leaves out what another one has that was published, and is in no table.',
    seen: /R18|the table is not the truth/,
    edits: [
      {
        file: 'src/pipeline/normalize-window.ts',
        from: `  const ledger = await context.warehouse.ledger(stream.name);
  const seen =`,
        to: `  const { publishedBatches } = await import('../inspect/batches.ts');
  const published = (await publishedBatches(context.store, stream.name)).batches;
  const ledger = published.map((batch) => ({ ...batch, batch: batch.id })) as unknown as LedgerEntry[];
  const seen =`,
      },
    ],
  },
  {
    name: 'rules not judged',
    breaks: 'R23: a record that breaks a rule comes into the table.',
    seen: /the table is not the truth/,
    edits: [
      {
        file: 'src/normalize/statements.ts',
        from: `THEN 'version' \${rules.join(' ')} END`,
        to: `THEN 'version' \${rules.slice(rules.length).join(' ')} END`,
      },
    ],
  },
  {
    name: 'batch before its files',
    breaks: 'R13: a batch is published before the files that it names are in the store.',
    seen: /there is no object/,
    edits: [
      {
        file: 'src/normalize/normalize.ts',
        from: `    await store.upload(key, path);
    return`,
        to: `    const { readFile } = await import('node:fs/promises');
    const body = await readFile(path);
    void new Promise((resolve) => setImmediate(resolve)).then(() => store.create(key, body));
    return`,
      },
    ],
  },
  {
    name: 'fence not held',
    breaks: 'R12: the transaction of a load does not look whether another loader has taken the fence.',
    seen: /R12|R24/,
    edits: [
      {
        file: 'src/load/commit.ts',
        from: `  await holdFence(engine, stream.name, token);
`,
        to: `  void [holdFence, token];
`,
      },
    ],
  },
  {
    name: 'ledger not asked',
    breaks: 'R12: a batch that the table holds is loaded once more.',
    seen: /R12/,
    edits: [
      {
        file: 'src/pipeline/settle-window.ts',
        from: `    if (loaded.has(batch.id)) continue;
`,
        to: `    void loaded;
`,
      },
      {
        file: 'src/load/duckdb.ts',
        from: `  if (already) return alreadyLoaded(engine, work, already);
`,
        to: `  void [already, alreadyLoaded];
`,
      },
    ],
  },
  {
    name: 'lost COMMIT taken for made',
    breaks: 'R12: a COMMIT without an answer is taken for made, without a look at the ledger.',
    seen: /R18|not loaded|the table is not the truth/,
    edits: [
      {
        file: 'src/load/commit.ts',
        from: `  if (outcome) return outcome;
  throw unknown.cause;`,
        to: `  void unknown;
  return outcome ?? { outcome: 'loaded', inserted: 0, updated: 0, unchanged: 0, queryId: '' };`,
      },
    ],
  },
  {
    name: 'lost COMMIT made again',
    breaks: 'R12: a COMMIT without an answer is taken for failed, and the load is done again without a look at the ledger.',
    seen: /R12/,
    edits: [
      {
        file: 'src/load/duckdb.ts',
        from: `      return this.#sessions.write((engine) => settle(engine, work, error));`,
        to: `      void settle;
      return this.#sessions.write(async (engine) =>
        commitBatch(engine, work, await requireStreamTable(engine, stream), await takeFence(engine, stream.name, work.now)),
      );`,
      },
    ],
  },
  {
    name: 'watermark before the rows',
    breaks: 'R24: the watermark moves in a transaction of its own, before the rows of which it speaks.',
    seen: /R18|R24/,
    edits: [
      {
        file: 'src/load/duckdb.ts',
        from: `  await checkFiles(engine, work);
`,
        to: `  if (work.watermark !== null) await advanceTo(engine, work.stream.name, work.watermark, work.now);
  await checkFiles(engine, work);
`,
      },
    ],
  },
  {
    name: 'watermark past what waits',
    breaks: 'R18, R24: the watermark does not wait for polls that are committed and not loaded.',
    seen: /R18/,
    edits: [
      {
        file: 'src/pipeline/watermark.ts',
        from: `  const limits = [...waiting.map((pending) => pending.window.start), ...gaps.map((gap) => gap.from)];`,
        to: `  const limits = [...waiting.map(() => head.watermark ?? 0), ...gaps.map((gap) => gap.from)];`,
      },
    ],
  },
  {
    name: 'watermark past a gap',
    breaks: 'R18: the watermark does not wait for open gaps.',
    seen: /R18: .* past the gap/,
    edits: [
      {
        file: 'src/pipeline/watermark.ts',
        from: `  const limits = [...waiting.map((pending) => pending.window.start), ...gaps.map((gap) => gap.from)];`,
        to: `  const limits = [...waiting.map((pending) => pending.window.start), ...gaps.map(() => head.watermark ?? 0)];`,
      },
    ],
  },
  {
    name: 'certified too early',
    breaks: 'R19: an hour is certified as soon as it is loaded, although updates of it may still come.',
    seen: /R19/,
    edits: [
      {
        file: 'src/certify/judge.ts',
        from: `to: Math.min(end, askedAt - reach) };`,
        to: `to: Math.min(end, askedAt - Math.min(reach, 0)) };`,
      },
      {
        file: 'src/certify/judge.ts',
        from: `  return hourDown(Math.min(head.watermark, loaded, now - reach, ...pending, ...open));`,
        to: `  return hourDown(Math.min(head.watermark, loaded, now - Math.min(reach, 0), ...pending, ...open));`,
      },
      {
        file: 'src/pipeline/certify.ts',
        from: `  const reach = latenessReach(stream.poll);
  if (head.since === null`,
        to: `  const reach = 0;
  if (head.since === null`,
      },
    ],
  },
];
