/** What a replica says of itself again and again. */
export interface Beat {
  readonly instance: string;
  /** Only replicas that would do the same with the same items hand items to one another. */
  readonly kind: string;
  readonly state: "here" | "leaving" | "gone";
  /** The requests that it has been given and has not answered. */
  readonly working: readonly string[];
  /** It says something at every turn of its timer, and counts these. */
  readonly number: number;
  /** The last number of its own that has come back to it: whatever was sent to it before that, it has taken in. */
  readonly heard: number;
}

/** Why a request is lost. */
export type Loss = "its owner is gone" | "its owner is silent" | "its owner knows nothing of it";

export interface Members {
  /** This replica, and those that were heard lately and are not about to leave; in a fixed order. */
  current(): readonly string[];
  /** A member that cannot be reached: left out until it is heard again, and lost unless it said that it leaves. */
  drop(instance: string): void;
  /** Resolves, with the reason, once that member will surely not answer this request. */
  untilLost(instance: string, request: string): { readonly lost: Promise<Loss>; forget(): void };
}

export interface HeardMembers extends Members {
  /** Numbers what this replica says at the next turn of its timer. */
  turn(): void;
  /** Those of what it says now. */
  numbers(): Pick<Beat, "number" | "heard">;
  /** Takes in what one says, this replica as well; true when that was not known. */
  heard(beat: Beat): boolean;
}

/** One that says nothing while so many beats of this replica come back to it counts as gone. */
const silentBeats = 5;
/** A beat may take so many turns to come back, where there is much to read. */
const beatsUnderWay = 2;
/** Between two servers of a cluster its next one may have crossed the request; the one after has not. */
const beatsAfterRequest = 2;

interface Awaited {
  readonly instance: string;
  readonly request: string;
  /** The number of this replica when it asked: what it says under a later one goes out behind the request. */
  readonly askedAt: number;
  /** What its owner said first after that had come back. */
  since: number | null;
  readonly resolve: (why: Loss) => void;
}

/**
 * Who is there, as this replica hears it. Wrong for a while, it costs a conflict or a redelivery, never an effect.
 *
 * There is no clock: time is counted in beats of this replica that have come back to it. A pause of this process, or a
 * backlog of what is still to be read, thus makes nobody else look silent.
 */
export function createMembers(options: {
  readonly self: string;
  readonly kind: string;
}): HeardMembers {
  const { self, kind } = options;
  const others = new Map<string, { heardAt: number; isLeaving: boolean }>();
  const awaited = new Set<Awaited>();
  let current: readonly string[] = [self];
  let said = 0;
  let cameBack = 0;
  let now = 0;

  function changed(): void {
    const staying = [...others].filter(([, { isLeaving }]) => !isLeaving);
    current = [self, ...staying.map(([instance]) => instance)].sort();
  }

  function lose(instance: string, why: Loss): void {
    if (others.delete(instance)) changed();
    for (const one of awaited) if (one.instance === instance) one.resolve(why);
  }

  function missing({ instance, working, number, heard }: Beat): void {
    for (const one of awaited) {
      if (one.instance !== instance) continue;
      // Until then its beats may have waited here to be read since before the request was sent.
      if (cameBack <= one.askedAt) continue;
      one.since ??= number;
      const hasTakenIn = heard >= one.since + beatsAfterRequest;
      if (hasTakenIn && !working.includes(one.request)) {
        one.resolve("its owner knows nothing of it");
      }
    }
  }

  function tick(number: number): void {
    const isNew = number > cameBack;
    cameBack = Math.max(cameBack, number);
    // After a reconnection many come back at once, and no other replica could be heard meanwhile.
    if (!isNew || number < said - beatsUnderWay) return;
    now += 1;
    const silent = [...others].filter(([, { heardAt }]) => now - heardAt > silentBeats);
    for (const [instance] of silent) lose(instance, "its owner is silent");
    // Dropped meanwhile, or never heard: there will be no word of what it was given.
    for (const { instance, resolve } of awaited) {
      if (!others.has(instance)) resolve("its owner is gone");
    }
  }

  return {
    current: () => current,
    turn() {
      said += 1;
    },
    numbers: () => ({ number: said, heard: cameBack }),
    drop(instance) {
      // One that leaves takes nothing more, but still answers what it has been given.
      if (others.get(instance)?.isLeaving) return;
      if (others.delete(instance)) changed();
    },
    untilLost(instance, request) {
      let entry: Awaited | undefined;
      const lost = new Promise<Loss>((resolve) => {
        entry = { instance, request, askedAt: said, since: null, resolve };
        awaited.add(entry);
      });
      return { lost, forget: () => void (entry && awaited.delete(entry)) };
    },
    heard(beat) {
      const { instance, state } = beat;
      if (beat.kind !== kind) return false;
      if (instance === self) {
        tick(beat.number);
        return false;
      }
      if (state === "gone") {
        lose(instance, "its owner is gone");
        return false;
      }
      missing(beat);
      const known = others.get(instance);
      const isLeaving = state === "leaving";
      others.set(instance, { heardAt: now, isLeaving });
      if (known?.isLeaving !== isLeaving) changed();
      return known === undefined;
    },
  };
}
