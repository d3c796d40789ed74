/**
 * Every subject, stream, bucket, durable and queue name of the service. The ones that settings
 * may change are functions of the settings.
 */

export const serviceName = "experience-bus";

/** One replica out of all answers a request. */
export const queueGroup = "experience-bus";

/** The subject of an endpoint: `runs-append` answers at `experience.runs.append`. */
export function endpointSubject(name: string): string {
  return `experience.${name.replaceAll("-", ".")}`;
}

/** Where every replica tells its endpoints and their schemas (ADR-32). */
export const infoSubject = `$SRV.INFO.${serviceName}`;

/** Where every replica says that it is there (ADR-32). */
export const pingSubject = `$SRV.PING.${serviceName}`;

/** Health of one replica, by its instance id; `*` stands for any. */
export function healthSubject(instance: string): string {
  return `${endpointSubject("health")}.${instance}`;
}

/**
 * Where an agent's events go among the subjects that `EXPERIENCE_SUBJECT` matches: the agent stands for
 * its last wildcard. Characters that a subject token cannot hold become `_`.
 */
export function experienceSubject(pattern: string, agentId: string): string {
  const token = agentId.replaceAll(/[^A-Za-z0-9_-]/g, "_") || "_";
  return pattern.replace(/[*>]$/, token).replaceAll("*", "_");
}

/** What users do, and what they say: streams of other systems, read into features. */
export const signals = {
  stream: "SIGNALS",
  subject: "signals.>",
  durable: (prefix: string) => `${prefix}-signals`,
} as const;

export const feedback = {
  stream: "FEEDBACK",
  subject: "feedback.>",
  durable: (prefix: string) => `${prefix}-feedback`,
} as const;

/** Reads `feedback`, too: what is negative becomes an entry to be reviewed. */
export const reviewDurable = "review-feedback-v1";

/** Everything that happens in runs, in the order in which it is to be stored. */
export const runs = {
  stream: "RUNS",
  subject: "agent.run.v1.>",
  durable: "run-recorder-v1",
} as const;

/** Counts the windows of `EXPERIENCE_STREAM_NAME`, reading it in order. */
export const windows = { durable: "lesson-windows-v1" } as const;

/** Counts what is in `EXPERIENCE_STREAM_NAME` minute by minute, reading it in order. */
export const counts = { durable: "experience-counts-v1" } as const;

/** Changes of the records of agents, of their missions, and of what these read. */
export const changes = {
  stream: "CHANGES",
  subject: "agent.change.v1.>",
  durable: "mission-snapshots-v1",
} as const;

/** Where a change of a record goes; characters that a subject token cannot hold become `_`. */
export function changeSubject(table: string, recordId: string): string {
  const token = (text: string) => text.replaceAll(/[^A-Za-z0-9_-]/g, "_");
  return `agent.change.v1.${token(table)}.${token(recordId)}`;
}

/** Under which how far it has been read is kept; a recreated stream counts from 1 again. */
export function positionName(durable: string, stream: string, streamCreated: string): string {
  return `${durable}:${stream}:${streamCreated}`;
}

/** Where replicas tell one another that a run has new events; kept by no stream. */
export function runNewsSubject(key: string): string {
  return `experience.runs.news.${key}`;
}

/**
 * Where replicas say that they are there, and where one is handed what it owns. Not below `experience.`, where whoever may
 * send requests may publish: what is handed on counts as read from the stream.
 */
export function membersSubject(durable: string): string {
  return `experience-bus.${durable}.members`;
}

/** `*` stands for any replica. */
export function handedOnSubject(durable: string, instance: string): string {
  return `experience-bus.${durable}.events.${instance}`;
}

export const lessonsStream = "LESSONS";
/** Where changed verdicts about lessons go, in the same stream. */
export const verdictSubject = "agent.lesson.verdict.v1";

/** Reads `EXPERIENCE_STREAM_NAME` in order: what became of runs that were told of lessons. */
export const effects = { durable: "lesson-outcomes-v1" } as const;

/** What runs were told of lessons: a subject a run, whose last message has all. */
export const exposures = {
  stream: "EXPOSURES",
  subjects: "exposure.v1.*",
  subject: (token: string) => `exposure.v1.${token}`,
  durable: "exposure-recorder-v1",
} as const;

export const deadLettersStream = "DEAD_LETTERS";
export const deadLettersSubjects = "dead.>";

/** Neither name can hold a dot. `*` stands for any. */
export function deadLetterSubject(stream: string, durable: string): string {
  return `dead.${stream}.${durable}`;
}

/** Where a dead letter goes once it is replayed; `id` is its sequence in `DEAD_LETTERS` until then. */
export function replayedSubject(stream: string, durable: string, id: string): string {
  return `${deadLetterSubject(stream, durable)}.replayed.${id}`;
}

/** State that replicas share belongs to one durable: two durables on one account do not mix theirs. */
export function evidenceBucket(durable: string): string {
  return `${durable}-evidence`;
}

export function attemptsBucket(durable: string): string {
  return `${durable}-attempts`;
}

/** The JetStream stream that holds a KV bucket (ADR-8). */
export function bucketStream(bucket: string): string {
  return `KV_${bucket}`;
}
