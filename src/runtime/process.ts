import { endWithNpm } from "../process/end-with-npm.ts";
import { collectSeldom } from "../process/heap.ts";
import type { Environment } from "../settings/environment.ts";

/** Where embedded servers keep their data. */
export const embeddedData = ".experience-bus";
export const serviceExitCodes = { clean: 0, fatal: 1, badSettings: 2 } as const;
export const stopSignals = ["SIGTERM", "SIGINT"] as const;

/** What the program around the service gives it: only that reads the environment and exits. */
export interface Surroundings {
  readonly env: Environment;
  /** For an end that waits for nothing any more. */
  readonly exit: (code: number) => never;
}

/**
 * Loads the service and runs it; resolves to its exit code. Loading takes half a second and more, in which
 * a signal finds nothing to finish: it ends the process well. Without a listener it would end with
 * another code, and as process 1 of a container it would go on, for the kernel drops such a signal then.
 */
export async function loadAndServe(
  surroundings: Surroundings,
  load: () => Promise<{ readonly serve: (surroundings: Surroundings) => Promise<number> }>,
): Promise<number> {
  const stop = () => surroundings.exit(serviceExitCodes.clean);
  for (const signal of stopSignals) process.on(signal, stop);
  endWithNpm(surroundings.env);
  collectSeldom();
  const { serve } = await load();
  // Listens itself by the time it returns its promise.
  const served = serve(surroundings);
  for (const signal of stopSignals) process.off(signal, stop);
  return await served;
}
