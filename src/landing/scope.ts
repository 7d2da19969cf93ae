import type { RawScope } from '../store/keys.ts';
import type { Stream } from '../stream.ts';

/** The environment in raw keys: the configured one, `_` where records carry their own or there is none. */
export const rawScope = ({ name, environment }: Stream): RawScope => ({
  stream: name,
  environment: environment && 'constant' in environment ? environment.constant : '_',
});
