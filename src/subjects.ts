/**
 * Every subject, stream, bucket, durable and queue name of the service. The ones that settings
 * may change are functions of the settings.
 */

export const serviceName = "experience-bus";

/** One replica out of all answers a request. */
export const queueGroup = "experience-bus";

export const endpoints = {
  extractor: "experience.extractor",
  extractorExplain: "experience.extractor.explain",
  health: "experience.health",
  healthOf: (instance: string) => `experience.health.${instance}`,
  stats: "experience.stats",
} as const;

/**
 * Where an agent's events go among the subjects that `EXPERIENCE_SUBJECT` matches: the agent stands for
 * its last wildcard. Characters that a subject token cannot hold become `_`.
 */
export function experienceSubject(pattern: string, agentId: string): string {
  const token = agentId.replaceAll(/[^A-Za-z0-9_-]/g, "_") || "_";
  return pattern.replace(/[*>]$/, token).replaceAll("*", "_");
}

export const lessonsStream = "LESSONS";

export const deadLettersStream = "DEAD_LETTERS";
export const deadLettersSubjects = "dead.>";

export function deadLetterSubject(stream: string, durable: string): string {
  return `dead.${stream}.${durable}`;
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
