import type { Replica } from "../rig/replica.ts";

export interface Replaced {
  readonly replicas: readonly Replica[];
  ready(): Promise<unknown>;
  /** By SIGKILL; resolves once the one that takes its place is ready. */
  kill(index: number): Promise<void>;
  remove(): Promise<void>;
}

/** So many replicas, of which each one that is killed is replaced. */
export function startReplaced(count: number, start: (index: number) => Replica): Replaced {
  const replicas = Array.from({ length: count }, (_, index) => start(index));
  return {
    replicas,
    ready: () => Promise.all(replicas.map((one) => one.ready())),
    async kill(index) {
      const old = replicas[index] as Replica;
      old.kill("SIGKILL");
      await old.exited;
      const next = start(index);
      replicas[index] = next;
      await next.ready();
    },
    async remove() {
      for (const one of replicas) one.kill("SIGKILL");
      await Promise.all(replicas.map(({ exited }) => exited));
    },
  };
}
