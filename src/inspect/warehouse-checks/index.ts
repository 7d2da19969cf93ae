import { FILES } from './files.ts';
import type { Item } from './item.ts';
import { MERGES } from './merge.ts';
import { GOVERNANCE, SESSIONS } from './session.ts';
import { TRANSACTIONS } from './transactions.ts';

export const WAREHOUSE_ITEMS: readonly Item[] = [...TRANSACTIONS, ...MERGES, ...FILES, ...SESSIONS, ...GOVERNANCE];
