import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { HolderInfo } from '../manifest/holder.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Everything that listening does to the world, but for the socket. */
export interface ServeEffects {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly log: Log;
  /** A fresh random name for each conditional write. */
  readonly randomId: () => string;
  /** This process. */
  readonly holder: HolderInfo;
}
