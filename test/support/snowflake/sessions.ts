import { randomUUID } from 'node:crypto';
import { SnowflakeError } from './errors.ts';
import { Session } from './session.ts';

const gone = (): SnowflakeError =>
  new SnowflakeError('390111', '08003', 'Session no longer exists.  New login required to access the service.');
const expired = (): SnowflakeError =>
  new SnowflakeError('390112', '08001', 'Session token has expired.  The user must authenticate again.');
const invalid = (): SnowflakeError => new SnowflakeError('390104', '08001', 'Session token is invalid.');
const masterExpired = (): SnowflakeError =>
  new SnowflakeError('390114', '08001', 'Authentication token has expired.  The user must authenticate again.');

/** The sessions by their tokens. */
export class Sessions {
  readonly #all: Session[] = [];
  /** Session tokens that were renewed since. */
  readonly #former = new Set<string>();

  get all(): readonly Session[] {
    return this.#all;
  }

  open(user: string, role: string): Session {
    const id = String(1_000_001 + this.#all.length);
    const session = new Session({ id, user, role, token: randomUUID(), masterToken: randomUUID() });
    this.#all.push(session);
    return session;
  }

  /**
   * A request may be on its way under the former token while another one renews it: it has expired, and the driver sends it again. Were it
   * invalid, the driver would take the session for lost, and nobody would end it.
   * @throws that the token is invalid or has expired, or that the session has gone.
   */
  byToken(token: string): Session {
    const session = this.#all.find((candidate) => candidate.token === token);
    if (!session) throw this.#former.has(token) ? expired() : invalid();
    if (session.isGone) throw gone();
    if (session.isTokenExpired) throw expired();
    return session;
  }

  /** A new token for the session of this master token. */
  renew(masterToken: string): Session {
    const session = this.#all.find((candidate) => candidate.masterToken === masterToken);
    if (!session) throw invalid();
    if (session.isGone) throw gone();
    if (session.isMasterExpired) throw masterExpired();
    this.#former.add(session.token);
    session.token = randomUUID();
    session.isTokenExpired = false;
    return session;
  }
}
