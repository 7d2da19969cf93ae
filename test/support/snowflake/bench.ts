import { createSign } from 'node:crypto';
import type { Clock, Micros } from '../../../src/clock.ts';
import { Driver, keyLogin, keyPair } from './driver.ts';
import type { User } from './login.ts';
import { type SnowflakeServer, startSnowflakeServer } from './server.ts';

export const START: Micros = Date.UTC(2026, 10, 1) * 1000;

/** Time passes only when the test says so. */
export class SteppedClock implements Clock {
  #ms = 0;
  readonly #sleepers = new Set<{ until: number; wake: () => void }>();

  now(): Micros {
    return START + this.#ms * 1000;
  }

  monotonicMs(): number {
    return this.#ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { until: this.#ms + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      });
    });
  }

  advance(ms: number): void {
    this.#ms += ms;
    for (const sleeper of this.#sleepers) if (sleeper.until <= this.#ms) sleeper.wake();
  }
}

export interface ServerBench {
  readonly server: SnowflakeServer;
  readonly clock: SteppedClock;
  readonly privateKey: string;
  /** Files of the stage by their whole address. */
  readonly staged: Map<string, Buffer>;
  login(): Promise<Driver>;
  /** Ends the sessions and the server. */
  close(): Promise<void>;
}

const SESSION = `ALTER SESSION SET TIMEZONE = 'UTC', LOCK_TIMEOUT = 60, JSON_INDENT = 0`;

export async function serverBench(others: readonly User[] = []): Promise<ServerBench> {
  const { privateKey, publicKey } = keyPair();
  const clock = new SteppedClock();
  const staged = new Map<string, Buffer>();
  const server = await startSnowflakeServer({
    users: [{ name: 'LOADER', publicKey, defaultRole: 'LOADER_ROLE' }, ...others],
    integrations: ['BUCKET'],
    clock,
    readStaged: async (url) => staged.get(url) ?? null,
  });
  const drivers: Driver[] = [];
  const login = async (): Promise<Driver> => {
    const driver = await Driver.login(server, keyLogin(privateKey));
    drivers.push(driver);
    await driver.execute(SESSION);
    return driver;
  };
  const close = async (): Promise<void> => {
    for (const driver of drivers) await driver.close();
    await server.close();
  };
  return { server, clock, privateKey, staged, login, close };
}

/** A signed token, as an issuer of workload identities makes it. */
export function signedToken(claims: object, privateKey: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey).toString('base64url')}`;
}
