import { type SnowflakeServer, type SnowflakeServerOptions, startSnowflakeServer } from '../snowflake/server.ts';
import { LIMITS } from './limits.ts';
import { startFakesnow } from './server.ts';

const isFakesnow = process.env['TIDEMARK_SNOWFLAKE'] === 'fakesnow';

/** The wire server, or fakesnow where `make test-fakesnow` says so. */
export const startServer = (options: SnowflakeServerOptions): Promise<SnowflakeServer> =>
  isFakesnow ? startFakesnow(options) : startSnowflakeServer(options);

/** Why the server that was chosen cannot run this test, by the test's name; null where it can. */
export const limitOf = (name: string): string | null =>
  isFakesnow ? (LIMITS.find(({ tests }) => tests.some((test) => name.startsWith(test)))?.reason ?? null) : null;
