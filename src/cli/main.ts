#!/usr/bin/env node
/** A coding agent waits for its hooks, which come with every call: nothing is loaded for them that they do not need. */
const [command, agent = "", ...others] = process.argv.slice(2);
const asksForHelp = [agent, ...others].some((word) => word === "--help" || word === "-h");
if (command === "hook" && !asksForHelp) {
  // Whoever reads no answer, or ends first, must not make this fail.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  const { passOn } = await import("./hook-sending.ts");
  await passOn(agent, process.env);
  const { flushOutput } = await import("../process/flush.ts");
  await flushOutput();
  // Whatever was wrong, the agent goes on. A socket that is still open would keep the process.
  process.exit(0);
} else await import("./program.ts");

export {};
