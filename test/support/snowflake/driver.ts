import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Connection, ConnectionOptions, RowStatement, SnowflakeError } from 'snowflake-sdk';
import type { SnowflakeServer } from './server.ts';

// Without this the driver asks a metadata address at import; and it would log into the working directory.
process.env['SNOWFLAKE_DISABLE_PLATFORM_DETECTION'] = 'true';
process.env['SF_TELEMETRY_DISABLE_CONNECTION_SHAPE'] = 'true';
const sdk = createRequire(import.meta.url)('snowflake-sdk') as typeof import('snowflake-sdk');
sdk.configure({ logLevel: 'OFF', additionalLogToConsole: false });

export const keyPair = (): { privateKey: string; publicKey: string } =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });

export const keyLogin = (privateKey: string): Partial<ConnectionOptions> => ({ authenticator: 'SNOWFLAKE_JWT', privateKey });

export interface Done {
  readonly rows: Record<string, unknown>[];
  readonly statement: RowStatement;
}

/** The real driver, with promises. */
export class Driver {
  readonly connection: Connection;

  private constructor(connection: Connection) {
    this.connection = connection;
  }

  /** @throws the driver's error where the login is refused. */
  static async login(server: Pick<SnowflakeServer, 'url' | 'account'>, options: Partial<ConnectionOptions>): Promise<Driver> {
    const connection = sdk.createConnection({
      account: server.account,
      accessUrl: server.url,
      username: 'LOADER',
      database: 'DB',
      schema: 'PUBLIC',
      warehouse: 'WH',
      ...options,
    });
    const driver = new Driver(connection);
    // `connectAsync` tells of a refused login by its callback alone.
    await new Promise<void>((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve())));
    return driver;
  }

  /** Streamed: without, the driver answers a failure of the network by asking once more, in silence. */
  execute(sqlText: string, options: object = {}): Promise<Done> {
    return new Promise((resolve, reject) => {
      this.connection.execute({
        sqlText,
        streamResult: true,
        ...options,
        complete: (error: SnowflakeError | undefined, statement: RowStatement) => {
          if (error || 'asyncExec' in options) return error ? reject(error) : resolve({ rows: [], statement });
          const rows: Record<string, unknown>[] = [];
          const stream = statement.streamRows();
          stream.on('data', (row: Record<string, unknown>) => rows.push(row));
          stream.on('error', reject);
          stream.on('end', () => resolve({ rows, statement }));
        },
      });
    });
  }

  async rows(sqlText: string, options: object = {}): Promise<Record<string, unknown>[]> {
    return (await this.execute(sqlText, options)).rows;
  }

  /** The error's code, or null where there is none. */
  async codeOf(sqlText: string, options: object = {}): Promise<string | null> {
    try {
      await this.execute(sqlText, options);
      return null;
    } catch (error) {
      return String((error as { code?: string | number }).code);
    }
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.connection.destroy(() => resolve()));
  }
}
