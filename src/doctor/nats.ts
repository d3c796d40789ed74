import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { costsOf, desiredState, permissionsOf } from "../handlers/derived.ts";
import { maxEventBytes } from "../handlers/extractor/wire.ts";
import { connectOnce, serversOf } from "../nats/connect.ts";
import type { DesiredState } from "../nats/desired-state.ts";
import { type Drift, sentenceOf } from "../nats/drift.ts";
import { nats, orNull } from "../nats/errors.ts";
import { judgePermissions, nameOfPermission } from "../nats/grants.ts";
import { nameOfDurable } from "../nats/inspect.ts";
import { readGranted } from "../nats/permissions.ts";
import { plan, type Step } from "../nats/plan.ts";
import { overlapsSubject } from "../nats/subject-pattern.ts";
import type { Settings } from "../settings/index.ts";
import { jetStreamOptions } from "../settings/nats.ts";
import { bucketStream } from "../subjects.ts";
import { accountObstacles, reportUsage } from "./account.ts";
import { judgeSkew, skewMs } from "./clock.ts";
import { examine, type Found, type Report } from "./finding.ts";

/** Before it `term` gives no reason, and a user cannot read its own permissions. */
const oldestServer = [2, 10, 4] as const;
/** An event of the largest size with its headers. */
const leastPayload = maxEventBytes + 8 * 1_024;

/** Each server by itself, then what all of them hold together. */
export async function examineNats(
  settings: Settings,
  timeoutMs: number,
  report: Report,
): Promise<void> {
  const attempts = serversOf(settings.nats.url).map((url) => ({
    place: `NATS at ${new URL(url).host}`,
    connecting: connectOnce({ ...settings.nats, url }, timeoutMs),
  }));
  await Promise.allSettled(attempts.map(({ connecting }) => connecting));
  const connections: NatsConnection[] = [];
  for (const { place, connecting } of attempts) {
    await examine(report, place, async (found) => {
      const nc = await connecting;
      connections.push(nc);
      found.ok("reached, and it takes the credentials");
      examineInfo(nc, found);
    });
  }
  const [nc] = connections;
  if (nc !== undefined) await examineJetStream(nc, settings, timeoutMs, report);
  await Promise.all(connections.map((one) => one.close()));
}

/** What a server says of itself when one connects. */
function examineInfo({ info }: NatsConnection, found: Found): void {
  const { version = "0", max_payload = 0 } = info ?? {};
  if (isOlder(version, oldestServer)) {
    found.failed(`nats-server ${version} is too old: ${oldestServer.join(".")} or later is needed`);
  } else found.ok(`nats-server ${version}`);
  if (max_payload < leastPayload) {
    const needed = `an event of ${maxEventBytes} bytes with its headers needs ${leastPayload}`;
    found.failed(`max_payload of ${max_payload} bytes is too small: ${needed}`);
  } else found.ok(`max_payload of ${max_payload} bytes`);
}

export function isOlder(version: string, than: readonly number[]): boolean {
  const parts = version.split(/[.-]/).map(Number);
  const differing = than.findIndex((part, i) => parts[i] !== part);
  return differing >= 0 && (parts[differing] ?? 0) < (than[differing] ?? 0);
}

async function examineJetStream(
  nc: NatsConnection,
  settings: Settings,
  timeoutMs: number,
  report: Report,
): Promise<void> {
  await examine(report, "permissions", async (found) => {
    const judged = judgePermissions(await readGranted(nc), permissionsOf(settings));
    const missing = judged.filter(({ isGranted }) => !isGranted);
    found.ok(`${judged.length - missing.length} of ${judged.length} are granted`);
    for (const one of missing) found.failed(`missing: ${nameOfPermission(one)}`);
  });
  const jsm = await jetstreamManager(nc, {
    ...jetStreamOptions(settings.nats),
    ...{ timeout: timeoutMs, checkAPI: false },
  });
  const needed = desiredState(settings);
  await examine(report, "JetStream", (found) => examineAccount(jsm, found));
  await examine(report, "streams and durables", async (found) => {
    const steps = await plan(jsm, needed);
    if (steps.length === 0) found.ok("as the settings want them");
    else if (cannotReplicate(nc, settings)) reportUnreplicated(steps, settings, found);
    else {
      const obstacles = accountObstacles(await nats(() => jsm.getAccountInfo()), {
        ...{ desired: needed, steps, maxBytes: settings.maxBytes },
        costs: costsOf(settings),
      });
      for (const obstacle of obstacles) found.failed(obstacle);
      for (const step of steps) reportStep(step, found, obstacles.length === 0);
    }
    await reportLimits(jsm, needed, found);
    for (const name of await pausedOf(jsm, needed)) {
      found.failed(`${name} is paused: nats consumer resume`);
    }
  });
  await examine(report, "clock of NATS", async (found) => {
    const askedAt = Date.now();
    const infos = await Promise.all(
      needed.streams.map(({ stream }) => orNull(() => jsm.streams.info(stream.name))),
    );
    const ts = infos.find((info) => info?.ts !== undefined)?.ts;
    if (ts === undefined) return found.warning("there is no stream that would tell its time");
    const [status, text] = judgeSkew(skewMs(Date.parse(ts), askedAt, Date.now()));
    found[status](text);
  });
}

async function examineAccount(jsm: JetStreamManager, found: Found): Promise<void> {
  const account = await nats(() => jsm.getAccountInfo());
  const { api } = account;
  // Servers from 2.11 on tell it; the client's types do not know it.
  const { level } = api as { level?: number };
  found.ok(level === undefined ? "enabled" : `enabled, API level ${level}`);
  reportUsage(account, found);
}

/** Of each stream that is there, how long it keeps messages and how many bytes: what has no limit fills the disk. */
async function reportLimits(
  jsm: JetStreamManager,
  { streams }: DesiredState,
  found: Found,
): Promise<void> {
  const texts = await Promise.all(
    streams.map(async ({ stream: { name } }) => {
      const info = name.startsWith(bucketStream(""))
        ? null
        : await orNull(() => jsm.streams.info(name));
      if (info === null) return [];
      const { max_age = 0, max_bytes = 0, max_msgs = 0 } = info.config;
      const limits = [
        ...(max_age > 0 ? [`${Number((max_age / dayNanos).toFixed(2))} days`] : []),
        ...(max_bytes > 0 ? [`${max_bytes} bytes`] : []),
        ...(max_msgs > 0 ? [`${max_msgs} messages`] : []),
      ];
      return [`${name} ${limits.length > 0 ? limits.join(", ") : "everything, for ever"}`];
    }),
  );
  const kept = texts.flat();
  if (kept.length > 0) found.ok(`kept: ${kept.join("; ")}`);
}

const dayNanos = 86_400e9;

/** The durables that deliver nothing because somebody said so. */
async function pausedOf(jsm: JetStreamManager, { durables }: DesiredState): Promise<string[]> {
  const infos = await Promise.all(
    durables.map(({ stream, config }) =>
      orNull(() => jsm.consumers.info(stream.name, config.durable_name)),
    ),
  );
  return durables.filter((_, i) => infos[i]?.paused === true).map(nameOfDurable);
}

/** A server that has JetStream of its own, and no others to put a replica on. */
function cannotReplicate({ info }: NatsConnection, { replicas }: Settings): boolean {
  return replicas > 1 && info?.jetstream === true && info.cluster === undefined;
}

/** Whatever else there is to say: that `provision` cannot make it so. */
function reportUnreplicated(steps: readonly Step[], { replicas }: Settings, found: Found): void {
  const creations = steps.filter(({ action }) => action === "create");
  const text = `JETSTREAM_REPLICAS=${replicas} needs a cluster of as many nats-servers, and this server is in none`;
  found[creations.length > 0 ? "failed" : "warning"](text);
  for (const { what } of creations) found.failed(`${what} is missing`);
  for (const step of steps) {
    const drift = step.drift.filter(({ field }) => field !== "num_replicas");
    if (step.action !== "create") reportStep({ ...step, drift }, found);
  }
}

function reportStep({ what, action, drift, reason }: Step, found: Found, canBeMade = true): void {
  const remedy = reason ?? "experience-bus provision changes it";
  const making = canBeMade ? ": experience-bus provision makes it" : "";
  if (action === "create") found.failed(`${what} is missing${making}`);
  for (const one of drift)
    found[isFailure(one) ? "failed" : "warning"](`${sentenceOf(one)}; ${remedy}`);
}

/** The service starts beside a stream that holds none of our messages, and nothing comes of that. */
function isFailure({ field, wanted, actual, breaks }: Drift): boolean {
  if (breaks || field !== "subjects") return breaks;
  const [missing, subjects] = [wanted, actual] as readonly string[][];
  return !missing?.some((one) => subjects?.some((other) => overlapsSubject(one, other)));
}
