import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { withParts } from './snowflake-parts.ts';

const FILE = new URL('../../docs/SNOWFLAKE.md', import.meta.url);

it("docs/SNOWFLAKE.md says what the code does: the administrator's script, the cost model, the checklist", () => {
  const text = readFileSync(FILE, 'utf8');
  const made = withParts(text);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(FILE, made);
  else expect(text, 'run UPDATE_DOCS=1 vitest run test/docs/snowflake.test.ts').toBe(made);
});
