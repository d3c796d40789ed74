import { errors } from "@nats-io/transport-node";
import { readPrivateKey } from "../handlers/missions/private-key.ts";
import { plannerPlace } from "../handlers/missions/settings.ts";
import { connectOnce } from "../nats/connect.ts";
import { isUnanswered } from "../nats/unanswered.ts";
import type { Settings } from "../settings/index.ts";
import { examine, type Found, type Report } from "./finding.ts";

/** Whether missions can be planned: nothing is reported where they are not hosted, or no planner is set. */
export async function examineMissions(
  settings: Settings,
  timeoutMs: number,
  report: Report,
): Promise<void> {
  const { concerns, missionPlanner } = settings;
  if (!concerns.includes("missions") || missionPlanner === undefined) return;
  const place = plannerPlace(missionPlanner);
  await examine(report, "planner of missions", async (found) => {
    if (place?.kind === "nats") await examineSubject(place.subject, settings, timeoutMs, found);
    if (place?.kind === "http") await examineUrl(place.url, settings, timeoutMs, found);
  });
  await examine(report, "key of grants", async (found) => {
    const key = readPrivateKey(settings);
    if (typeof key === "string") found.failed(key);
    else if (key !== null) found.ok("the file holds an RSA key of 2,048 bits");
    else found.ok("MISSION_PRIVATE_KEY is not set: encrypted values stay encrypted");
  });
}

/** An empty request costs a planner nothing; that it refuses it, or says nothing, shows that it is there. */
async function examineSubject(
  subject: string,
  settings: Settings,
  timeoutMs: number,
  found: Found,
): Promise<void> {
  const nc = await connectOnce(settings.nats, timeoutMs);
  try {
    await nc.request(subject, "", { timeout: Math.min(1_000, timeoutMs) });
    found.ok(`somebody answers at ${subject}`);
  } catch (error) {
    if (error instanceof errors.TimeoutError) found.ok(`somebody listens at ${subject}`);
    else if (isUnanswered(error)) found.failed(`no responders on ${subject}`);
    else throw error;
  } finally {
    await nc.close();
  }
}

/** Servers of this kind list their models beside the completions. */
async function examineUrl(
  url: URL,
  { missionPlannerKey: key }: Settings,
  timeoutMs: number,
  found: Found,
): Promise<void> {
  const models = new URL(url);
  models.username = "";
  models.password = "";
  models.pathname = url.pathname.replace(/\/chat\/completions\/?$/, "/models");
  const response = await fetch(models, {
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    redirect: "error",
    signal: AbortSignal.timeout(timeoutMs),
  });
  await response.body?.cancel();
  const { status } = response;
  if (status === 401 || status === 403) {
    found.failed(`${url.host} answers HTTP ${status}: MISSION_PLANNER_KEY is not what it wants`);
  } else if (status >= 500) found.warning(`${url.host} answers HTTP ${status}`);
  else found.ok(`reached at ${url.host}`);
}
