import { isRefusal } from "../../errors.ts";
import type { Isolated } from "../isolated.ts";

export interface OneByOne<T> {
  /** Resolves once `handle` has for these, alone or together with others; rejects as it does. */
  together(items: readonly T[]): Promise<void>;
  /** The same, with no others. */
  alone(items: readonly T[], isolated?: Isolated): Promise<void>;
  /** Resolves when nothing waits and nothing is being handled. */
  idle(): Promise<void>;
}

interface Task<T> {
  readonly items: readonly T[];
  readonly isolated: Isolated | undefined;
  readonly mayJoin: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Handles what comes from several sides one at a time, and what has come meanwhile together: a batch costs about as much
 * whatever its size, and two at once would lose compare-and-sets to each other.
 */
export function oneByOne<T>(
  handle: (items: readonly T[], isolated?: Isolated) => Promise<void>,
  mostTogether: number,
): OneByOne<T> {
  const waiting: Task<T>[] = [];
  let running: Promise<void> | null = null;

  function nextTasks(): Task<T>[] {
    const [first] = waiting;
    if (first === undefined) return [];
    let count = 1;
    let items = first.items.length;
    for (const next of first.mayJoin ? waiting.slice(1) : []) {
      items += next.items.length;
      if (!next.mayJoin || items > mostTogether) break;
      count += 1;
    }
    return waiting.splice(0, count);
  }

  async function run(tasks: readonly Task<T>[]): Promise<void> {
    try {
      const items =
        tasks.length === 1 ? (tasks[0]?.items ?? []) : tasks.flatMap((one) => one.items);
      await handle(items, tasks[0]?.isolated);
      for (const { resolve } of tasks) resolve();
    } catch (error) {
      // One's refusal is not the others'.
      if (isRefusal(error) && tasks.length > 1) for (const task of tasks) await run([task]);
      else for (const { reject } of tasks) reject(error);
    }
  }

  async function runAll(): Promise<void> {
    for (let tasks = nextTasks(); tasks.length > 0; tasks = nextTasks()) await run(tasks);
    running = null;
  }

  const add = (items: readonly T[], isolated: Isolated | undefined, mayJoin: boolean) =>
    new Promise<void>((resolve, reject) => {
      waiting.push({ items, isolated, mayJoin, resolve, reject });
      running ??= runAll();
    });

  return {
    together: (items) => add(items, undefined, true),
    alone: (items, isolated) => add(items, isolated, false),
    idle: async () => {
      await running;
    },
  };
}
