import type { HttpSources, On } from "./app.ts";

/** Health and metrics, for probes and Prometheus: served from the start, to everybody. */
export function addProbes(on: On, sources: HttpSources): void {
  /** Undefined also when it began to stop while this was asked: a probe must not learn that it is ready. */
  const currentHealth = async () => {
    const health = await sources.served()?.health();
    return sources.served() === null ? undefined : health;
  };
  // Liveness says that the process answers, and nothing of what it depends on.
  on("GET", "/livez", (c) => c.text("ok"));
  on("GET", "/readyz", async (c) => {
    const health = await currentHealth();
    if (health === undefined) return c.text(sources.whyNot().join("\n"), 503);
    return health.status === "down" ? c.text(health.problems.join("\n"), 503) : c.text("ok");
  });
  on("GET", "/health", async (c) => {
    const health = await currentHealth();
    if (health === undefined) return c.json({ status: "down", problems: sources.whyNot() }, 503);
    return c.json(health, health.status === "down" ? 503 : 200);
  });
  on("GET", "/metrics", async (c) => {
    const served = sources.served();
    const { registry, ready } = sources.metrics;
    if (served === null) ready.set(0);
    else await served.updateGauges();
    return c.text(await registry.metrics(), 200, { "Content-Type": registry.contentType });
  });
}
