import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { type SpawnedServers, spawnServers } from "../embedded/spawn.ts";
import { messageOf } from "../errors.ts";
import { flushOutput } from "../flush.ts";
import type { LessonRow } from "../handlers/extractor/lesson.ts";
import { openLog } from "../log.ts";
import { startService } from "../service.ts";
import { readSettings, type Settings } from "../settings/index.ts";
import { deadLettersStream, endpointSubject, experienceSubject } from "../subjects.ts";
import { openProgress } from "./progress.ts";
import { demoTraffic } from "./traffic.ts";

const help = `npm run demo [-- --events FILE.jsonl]

Starts embedded servers in a temporary folder and the service, publishes half an hour of events of
four agents, and prints the lessons as they are learned.

  --events FILE   publish this file instead: one JSON event a line
  --help          this text

Exit codes: 0 when every event was processed, 1 on an error, 2 on a bad option.`;

async function main(): Promise<number> {
  const options = readOptions();
  if (options.help) {
    console.log(help);
    return 0;
  }
  const events = options.events ? await readEvents(options.events) : ownEvents();
  const dataDir = await mkdtemp(join(tmpdir(), "experience-bus-demo-"));
  console.log("Starting nats-server (JetStream) and PostgreSQL in a temporary folder ...");
  const servers = await spawnServers({ dataDir, log: (line) => console.log(`  ${line}`) });
  const interrupted = () => void servers.stop().finally(() => process.exit(1));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, interrupted);
  try {
    await run(servers, events);
    return 0;
  } finally {
    await servers.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function readOptions(): { help?: boolean; events?: string } {
  try {
    const { values } = parseArgs({
      options: { help: { type: "boolean", short: "h" }, events: { type: "string" } },
    });
    return values;
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${help}`);
    process.exit(2);
  }
}

/** What the service reads by default. */
const subjectFilter = "agent.experience.v1.>";

interface Publication {
  readonly subject: string;
  readonly payload: string;
  readonly eventId?: string;
}

function ownEvents(): Publication[] {
  return demoTraffic(Date.now()).map((event) => ({
    subject: experienceSubject(subjectFilter, event.agent_id),
    payload: JSON.stringify(event),
    eventId: event.event_id,
  }));
}

/** A line that is no event is published, too: it shows what becomes of invalid ones. */
async function readEvents(file: string): Promise<Publication[]> {
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line.trim() !== "");
  return lines.map((payload) => {
    const { agent_id, event_id } = fieldsOf(payload);
    const subject = experienceSubject(subjectFilter, agent_id ?? "unknown");
    return { subject, payload, ...(event_id !== undefined && { eventId: event_id }) };
  });
}

function fieldsOf(line: string): { agent_id?: string; event_id?: string } {
  try {
    const { agent_id, event_id } = Object(JSON.parse(line));
    return {
      ...(typeof agent_id === "string" && { agent_id }),
      ...(typeof event_id === "string" && { event_id }),
    };
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

async function run(servers: SpawnedServers, events: readonly Publication[]): Promise<void> {
  const settings = readSettings({
    NATS_URL: servers.natsUrl,
    LEARNER_DATABASE_URL: servers.databaseUrl,
    HTTP_PORT: "0",
    LOG_LEVEL: "error",
  });
  const service = await startService({
    settings,
    log: openLog(settings.logLevel, true),
    signal: new AbortController().signal,
    onFatal: (error) => {
      console.error(error);
      process.exit(1);
    },
  });
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
      some.map(({ subject, payload, eventId }) =>
        js.publish(subject, payload, eventId === undefined ? {} : { msgID: eventId }),
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
  return [
    `\n● ${lesson.lesson_type}: ${lesson.trigger}`,
    `  Do:    ${lesson.action}`,
    `  Avoid: ${lesson.avoid}`,
  ].join("\n");
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
Dead letters: ${stats.streams[deadLettersStream]?.messages ?? 0}

"npm start" runs the service with servers that keep their data; README.md tells how to go on.`;
}

main().then(
  (code) => exitWhenWritten(code),
  (error: unknown) => {
    console.error(messageOf(error));
    return exitWhenWritten(1);
  },
);

/** A slow reader of a pipe gets everything that was said. */
async function exitWhenWritten(code: number): Promise<never> {
  process.exit((await flushOutput()) ? code : code || 1);
}
