import { readFileSync } from "node:fs";

/** Every name that the service reads from its environment. */
export function settingNames(): Set<string> {
  const source = ["settings/index", "settings/nats", "settings/tracing"]
    .map((name) => readFileSync(new URL(`../src/${name}.ts`, import.meta.url), "utf8"))
    .join("\n");
  const names = source.matchAll(
    /"((?:NATS|EXPERIENCE|LEARNER|LESSON|HTTP|LOG|JETSTREAM|NODE|FEATURE|RUN|OTEL)_[A-Z_]+)"/g,
  );
  return new Set([...names].map(([, name]) => String(name)));
}
