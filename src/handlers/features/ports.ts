import type { UserEvent } from "./event.ts";
import type { UserFeatures } from "./fold.ts";

/** A user, of one tenant. */
export interface UserKey {
  readonly tenantId: string;
  readonly userId: string;
}

/** A row of `user_features` as it is read. */
export interface FeatureRow extends UserKey, UserFeatures {
  /** Epoch ms. */
  readonly updatedAt: number;
}

/** One user's row, as it is to be, and the events that make the difference. */
export interface FeatureChange extends UserKey {
  /** The version that the row was read at; 0: there was none. */
  readonly before: number;
  readonly after: UserFeatures;
  readonly events: readonly UserEvent[];
}

export interface FeatureStore {
  /**
   * The rows of these events' users, which of the events are applied, and which of those say something else than
   * what was applied under their id, as of one moment.
   */
  read(events: readonly UserEvent[]): Promise<{
    readonly rows: readonly FeatureRow[];
    readonly applied: ReadonlySet<UserEvent>;
    readonly conflicting: ReadonlySet<UserEvent>;
  }>;
  /**
   * Writes each row that is still at the version it was read at, together with the proof that its events
   * are applied: both or neither. Resolves to the changes that were written; none of them when another
   * replica has applied one of the events meanwhile.
   */
  write(changes: readonly FeatureChange[]): Promise<ReadonlySet<FeatureChange>>;
}
