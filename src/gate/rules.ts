/** The language of row rules: read once, then judged in SQL over a whole batch, or in TypeScript over one value. */
export { checkValue } from './rule-check.ts';
export { parseRule } from './rule-parser.ts';
export { ruleSql } from './rule-sql.ts';
