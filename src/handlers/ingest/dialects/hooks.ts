import { claudeCodeHooks } from "./claude-code-hooks.ts";
import { codexHooks } from "./codex-hooks.ts";
import { geminiHooks } from "./gemini-hooks.ts";
import type { HookDialect } from "./hook.ts";

/** By the name in `/ingest/hooks/<agent>` and `experience-bus hook <agent>`. */
export const hookDialects: Readonly<Record<string, HookDialect>> = {
  "claude-code": claudeCodeHooks,
  codex: codexHooks,
  gemini: geminiHooks,
};

export const hookAgents: readonly string[] = Object.keys(hookDialects);

/** Undefined where no such agent is known. */
export function hookDialectOf(agent: string): HookDialect | undefined {
  return Object.hasOwn(hookDialects, agent) ? hookDialects[agent] : undefined;
}
