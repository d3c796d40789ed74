/** What a replica says of itself again and again. */
export interface Beat {
  readonly instance: string;
  /** Only replicas that would do the same with the same items hand items to one another. */
  readonly kind: string;
  readonly state: "here" | "leaving" | "gone";
  /** The requests that it has been given and has not answered. */
  readonly working: readonly string[];
}

export interface Members {
  /** This replica, and those that were heard lately and are not about to leave; in a fixed order. */
  current(): readonly string[];
  /** One that nobody reaches: not among them before it is heard again. */
  drop(instance: string): void;
  /** Resolves once that member will surely not answer this request: it is gone, or knows nothing of it. */
  untilLost(instance: string, request: string): { readonly lost: Promise<void>; forget(): void };
}

export interface HeardMembers extends Members {
  /** Takes in what another one says; true when that was not known. */
  heard(beat: Beat): boolean;
  /** Looks who has been silent for too long. */
  check(): void;
}

/** A member may have said this before it got the request, and its event loop may be behind. */
const beatsWithout = 10;

interface Awaited {
  readonly instance: string;
  readonly request: string;
  beatsWithout: number;
  readonly resolve: () => void;
}

/** Who is there, as this replica hears it. Wrong for a while, it costs a conflict or a redelivery, never an effect. */
export function createMembers(options: {
  readonly self: string;
  readonly kind: string;
  /** After so long without a word one counts as gone. */
  readonly silenceMs: number;
  /** Monotonic, ms. */
  readonly now: () => number;
}): HeardMembers {
  const { self, kind, silenceMs, now } = options;
  const others = new Map<string, { heardAt: number; isLeaving: boolean }>();
  const awaited = new Set<Awaited>();
  let current: readonly string[] = [self];

  function changed(): void {
    const staying = [...others].filter(([, { isLeaving }]) => !isLeaving);
    current = [self, ...staying.map(([instance]) => instance)].sort();
  }

  function lose(instance: string): void {
    if (others.delete(instance)) changed();
    for (const one of awaited) if (one.instance === instance) one.resolve();
  }

  function missing({ instance, working }: Beat): void {
    for (const one of awaited) {
      if (one.instance !== instance) continue;
      one.beatsWithout = working.includes(one.request) ? 0 : one.beatsWithout + 1;
      if (one.beatsWithout >= beatsWithout) one.resolve();
    }
  }

  return {
    current: () => current,
    drop(instance) {
      if (others.delete(instance)) changed();
    },
    untilLost(instance, request) {
      let entry: Awaited | undefined;
      const lost = new Promise<void>((resolve) => {
        entry = { instance, request, beatsWithout: 0, resolve };
        awaited.add(entry);
      });
      return { lost, forget: () => void (entry && awaited.delete(entry)) };
    },
    heard(beat) {
      const { instance, state } = beat;
      if (instance === self || beat.kind !== kind) return false;
      if (state === "gone") {
        lose(instance);
        return false;
      }
      missing(beat);
      const known = others.get(instance);
      const isLeaving = state === "leaving";
      others.set(instance, { heardAt: now(), isLeaving });
      if (known?.isLeaving !== isLeaving) changed();
      return known === undefined;
    },
    check() {
      const silent = [...others].filter(([, { heardAt }]) => now() - heardAt > silenceMs);
      for (const [instance] of silent) lose(instance);
      // Dropped meanwhile, or never heard: nobody will tell of what it was given.
      for (const { instance, resolve } of awaited) if (!others.has(instance)) resolve();
    },
  };
}
