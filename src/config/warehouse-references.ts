import type { ConfigurationInput } from './definition.ts';
import type { Problem } from './problems.ts';

type Warehouse = ConfigurationInput['warehouse'];
type Snowflake = Exclude<Warehouse, string>['snowflake'];

/** What is wrong between the fields of a Snowflake warehouse, and between it, the store and the streams' names. */
export function warehouseProblems(
  warehouse: Warehouse,
  store: ConfigurationInput['store'] | undefined,
  streams: readonly string[],
): readonly Problem[] {
  if (typeof warehouse === 'string') return [];
  return [...loginProblems(warehouse.snowflake), ...stageProblems(store), ...streams.flatMap(tableProblems)];
}

function loginProblems(snowflake: Snowflake): readonly Problem[] {
  const { user, privateKey, passphrase, workloadIdentity, token } = snowflake;
  const problem = (name: keyof Snowflake, message: string): Problem => ({ path: ['warehouse', 'snowflake', name], onKey: true, message });
  if (privateKey === undefined && workloadIdentity === undefined)
    return [{ path: ['warehouse', 'snowflake'], message: 'names no login: write privateKey, or workloadIdentity' }];
  return [
    ...(privateKey !== undefined && workloadIdentity !== undefined
      ? [problem('workloadIdentity', 'stands beside privateKey: one of them logs in')]
      : []),
    ...(privateKey !== undefined && user === undefined
      ? [{ path: ['warehouse', 'snowflake'], message: 'names no user: a key pair is that of a user' }]
      : []),
    ...(passphrase !== undefined && privateKey === undefined ? [problem('passphrase', 'has no meaning without privateKey')] : []),
    ...(token !== undefined && workloadIdentity !== 'oidc' ? [problem('token', 'has no meaning without workloadIdentity: oidc')] : []),
    ...(token === undefined && workloadIdentity === 'oidc' ? [problem('workloadIdentity', 'needs a token beside it')] : []),
  ];
}

/** Snowflake reads the batches' files from the bucket itself. */
function stageProblems(store: ConfigurationInput['store'] | undefined): readonly Problem[] {
  const url = typeof store === 'object' ? store.url : store;
  if (url === undefined || url.startsWith('s3:')) return [];
  return [{ path: ['store'], message: 'is a folder, which Snowflake cannot read: its stage needs s3://BUCKET/PREFIX' }];
}

/** Tables of Tidemark's own stand beside those of the streams. */
function tableProblems(stream: string): readonly Problem[] {
  if (!stream.startsWith('tidemark_') && !stream.includes('__')) return [];
  const message = 'is kept for tables of Tidemark in Snowflake: names neither begin with tidemark_ nor hold two _ in a row';
  return [{ path: ['streams', stream], onKey: true, message }];
}
