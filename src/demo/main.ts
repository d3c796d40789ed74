import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { parseArgs } from "node:util";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { textOf } from "../cli/event-text.ts";
import { eventsIn } from "../cli/events-in.ts";
import { maxEventBytes, readEvent } from "../cli/publishing.ts";
import { printable } from "../cli/table.ts";
import { makeTemporaryFolder, withRemedy } from "../embedded/obstacles.ts";
import { type SpawnedServers, spawnServers } from "../embedded/spawn.ts";
import { messageOf } from "../errors.ts";
import { messageIdOf } from "../handlers/extractor/identity.ts";
import type { LessonRow } from "../handlers/extractor/lesson.ts";
import { openLog } from "../log.ts";
import { endWithNpm } from "../process/end-with-npm.ts";
import { flushOutput } from "../process/flush.ts";
import { startService } from "../service.ts";
import { embeddedHost } from "../settings/http.ts";
import { readSettings, type Settings } from "../settings/index.ts";
import { deadLettersStream, endpointSubject, experienceSubject } from "../subjects.ts";
import { keepLiving } from "./living.ts";
import { showLoop } from "./loop.ts";
import { demoPlanner, showMissions } from "./missions.ts";
import { openProgress } from "./progress.ts";
import { demoSpanMs, demoTraffic } from "./traffic.ts";

const help = `npm run demo [-- --keep | --events FILE.jsonl | --missions]

Starts embedded servers in a temporary folder and the service, publishes half an hour of events of
four agents, and prints the lessons as they are learned. Then the agent that failed asks before it acts: some of its runs are
told, some are not, and the rates of failure of both are printed. Settings (EXPERIENCE_..., LESSON_...) are those of the
environment.

  --keep          leave it running, with agents that go on living, and the console open, until Ctrl-C
  --events FILE   publish this file instead: one JSON event a line, or whatever else publish reads
  --missions      show missions of three agents instead: what is decided about each, and why
  --help          this text

Exit codes: 0 when every event was processed, 1 on an error, 2 on a bad option.`;

async function main(): Promise<number> {
  const options = readOptions();
  if (options.help) {
    console.log(help);
    return 0;
  }
  const { subject } = settingsFor({ natsUrl: "nats://x", databaseUrl: "postgres://x@x/x" });
  const isOfMissions = options.missions ?? false;
  const isKept = options.keep ?? false;
  const now = Date.now();
  const events = options.events
    ? await readEvents(options.events, subject)
    : ownEvents(subject, now);
  const interrupted = untilInterrupted();
  endWithNpm(process.env);
  const dataDir = await makeTemporaryFolder("experience-bus-demo-");
  console.log("Starting nats-server (JetStream) and PostgreSQL in a temporary folder ...");
  const starting = spawnServers({ dataDir, log: (line) => console.log(`  ${line}`) });
  const running = starting.then((servers) =>
    isOfMissions
      ? runMissions(servers)
      : run(servers, events, { isOwn: options.events === undefined, keptAt: isKept ? now : null }),
  );
  try {
    return await Promise.race([running.then(() => 0), interrupted.then(() => (isKept ? 0 : 1))]);
  } finally {
    // It may be interrupted while the servers start; what fails because they go is no news then.
    const servers = await starting.catch(() => null);
    running.catch(() => undefined);
    await servers?.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Resolves at the first SIGINT, SIGTERM or SIGHUP. Somebody who sends one more a while later does not want to wait. */
function untilInterrupted(): Promise<void> {
  let firstAt: number | undefined;
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        firstAt ??= performance.now();
        if (performance.now() - firstAt > echoMs) process.exit(1);
        resolve();
      });
    }
  });
}

/** One Ctrl-C can arrive twice, from the terminal and from npm. */
const echoMs = 500;

/** Those of the environment, but for what would lead elsewhere than to our own servers, or do no work there. */
function settingsFor(
  { natsUrl, databaseUrl }: Pick<SpawnedServers, "natsUrl" | "databaseUrl">,
  more: Readonly<Record<string, string>> = {},
) {
  const ofOthers = /^(NATS_|LEARNER_DATABASE_|JETSTREAM_REPLICAS$|EXPERIENCE_CONCERNS$|NODE_ENV$)/;
  const own = Object.entries(process.env).filter(([name]) => !ofOthers.test(name));
  return readSettings({
    LOG_LEVEL: "error",
    ...Object.fromEntries(own),
    NATS_URL: natsUrl,
    LEARNER_DATABASE_URL: databaseUrl,
    HTTP_PORT: "0",
    HTTP_HOST: embeddedHost,
    EXPERIENCE_PROVISION: "apply",
    ...more,
  });
}

function readOptions(): { help?: boolean; keep?: boolean; events?: string; missions?: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        help: { type: "boolean", short: "h" },
        keep: { type: "boolean" },
        events: { type: "string" },
        missions: { type: "boolean" },
      },
    });
    return values;
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${help}`);
    process.exit(2);
  }
}

interface Publication {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** None for what is no event. */
  readonly msgID?: string;
}

function ownEvents(subjects: string, now: number): Publication[] {
  return demoTraffic(now).map((event) => {
    const { event_id: eventId, agent_id: agentId } = event;
    return {
      subject: experienceSubject(subjects, agentId),
      payload: Buffer.from(JSON.stringify(event)),
      msgID: messageIdOf({ tenantId: "default", agentId, eventId }),
    };
  });
}

/** As `publish` reads it; but what is no event is published, too: it shows what becomes of invalid ones. */
async function readEvents(file: string, subjects: string): Promise<Publication[]> {
  const events: Publication[] = [];
  for await (const line of eventsIn(textOf(createReadStream(file)), maxEventBytes)) {
    const event = readEvent(line, subjects);
    if (!("reason" in event)) {
      events.push({ subject: event.subject, payload: event.payload, msgID: messageIdOf(event) });
    } else {
      console.log(printable(`${file}, line ${line.number}: ${event.reason}`));
      const subject = experienceSubject(subjects, "unknown");
      if (line.bytes !== null) events.push({ subject, payload: line.bytes });
    }
  }
  return events;
}

function startHere(settings: Settings) {
  return startService({
    settings,
    log: openLog(settings.logLevel, true),
    signal: new AbortController().signal,
    onFatal: (error) => {
      console.error(error);
      process.exit(1);
    },
  });
}

async function runMissions(servers: SpawnedServers): Promise<void> {
  const planner = { MISSION_PLANNER: `nats:${demoPlanner}`, MISSION_TICK_SECONDS: "3600" };
  const service = await startHere(settingsFor(servers, planner));
  await showMissions(servers.natsUrl);
  await service.stop();
}

/** `keptAt`: when the events end, where agents then go on living until somebody has seen enough. */
async function run(
  servers: SpawnedServers,
  events: readonly Publication[],
  { isOwn, keptAt }: { readonly isOwn: boolean; readonly keptAt: number | null },
): Promise<void> {
  const settings = settingsFor(servers);
  for (const warning of settings.warnings) console.log(`  ${warning}`);
  const service = await startHere(settings);
  const nc = await connect({ servers: servers.natsUrl });
  const progress = openProgress(events.length);
  nc.subscribe(settings.lessonSubject, {
    callback: (_, message) => progress.print(lessonText(message.json<LessonRow>())),
  });
  await nc.flush();
  await publishAll(nc, events, progress.published);
  await untilProcessed(nc, settings, progress.processed);
  progress.done();
  console.log(await summary(nc, events.length));
  if (isOwn) console.log(await showLoop(nc, settings.subject));
  if (keptAt === null) console.log(next);
  else {
    console.log(`\nThe agents go on. See what they learn: http://127.0.0.1:${service.httpPort}/
Stop with Ctrl-C.`);
    await keepLiving(nc, settings.subject, keptAt - demoSpanMs);
  }
  await nc.drain();
  await service.stop();
}

/** Many at once, but so few that the lessons come while it runs. */
const atOnce = 50;

async function publishAll(
  nc: NatsConnection,
  events: readonly Publication[],
  published: (count: number) => void,
): Promise<void> {
  const js = jetstream(nc);
  for (let start = 0; start < events.length; start += atOnce) {
    const some = events.slice(start, start + atOnce);
    await Promise.all(
      some.map(({ subject, payload, msgID }) =>
        js.publish(subject, payload, msgID === undefined ? {} : { msgID }),
      ),
    );
    published(start + some.length);
  }
}

async function untilProcessed(
  nc: NatsConnection,
  { stream, durable }: Settings,
  processed: (count: number) => void,
): Promise<void> {
  const jsm = await jetstreamManager(nc);
  for (;;) {
    const { num_pending, num_ack_pending, ack_floor } = await jsm.consumers.info(stream, durable);
    processed(ack_floor.stream_seq);
    if (num_pending === 0 && num_ack_pending === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function lessonText(lesson: LessonRow): string {
  const { lesson_type, trigger, action, avoid } = lesson;
  const lines = [`\n● ${lesson_type}: ${trigger}`];
  if (action !== "") lines.push(`  Do:    ${action}`);
  if (avoid !== "") lines.push(`  Avoid: ${avoid}`);
  return lines.join("\n");
}

async function summary(nc: NatsConnection, published: number): Promise<string> {
  const reply = await nc.request(endpointSubject("stats"), "", { timeout: 5_000 });
  const stats = reply.json<{
    lessons: Record<string, number>;
    sightings: number;
    streams: Record<string, { messages: number }>;
    instance: { counters: Record<string, number> };
  }>();
  const counts = (entries: [string, number][]) =>
    entries.map(([name, count]) => `${count} ${name}`).join(", ") || "none";
  const outcomes = Object.entries(stats.instance.counters).flatMap(
    ([name, count]): [string, number][] => {
      const outcome = /^experience_events_total\{outcome="(\w+)"\}$/.exec(name)?.[1];
      return outcome === undefined ? [] : [[outcome.replaceAll("_", " "), count]];
    },
  );
  return `
Events:       ${published} published: ${counts(outcomes)}
Lessons:      ${counts(Object.entries(stats.lessons))}
Sightings:    ${stats.sightings}
Dead letters: ${stats.streams[deadLettersStream]?.messages ?? 0}`;
}

const next = `
"npm start" runs the service with servers that keep their data; README.md tells how to go on.`;

main().then(
  (code) => exitWhenWritten(code),
  (error: unknown) => {
    console.error(withRemedy(error));
    return exitWhenWritten(1);
  },
);

/** A slow reader of a pipe gets everything that was said. */
async function exitWhenWritten(code: number): Promise<never> {
  process.exit((await flushOutput()) ? code : code || 1);
}
