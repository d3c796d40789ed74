import { desiredByAll } from "../../src/handlers/derived.ts";
import type { DesiredState, WantedDurable, WantedStream } from "../../src/nats/desired-state.ts";
import type { Settings } from "../../src/settings/index.ts";
import { attemptsBucket, bucketStream, evidenceBucket } from "../../src/subjects.ts";

/** What the service would create, by the names that tests call it. */
export function wantedBy(settings: Settings) {
  const state = desiredByAll(settings);
  const bucket = (name: string) => streamOf(state, bucketStream(name));
  return {
    experience: streamOf(state, settings.stream),
    signals: streamOf(state, "SIGNALS"),
    feedback: streamOf(state, "FEEDBACK"),
    runs: streamOf(state, "RUNS"),
    changes: streamOf(state, "CHANGES"),
    lessons: streamOf(state, "LESSONS"),
    deadLetters: streamOf(state, "DEAD_LETTERS"),
    evidence: bucket(evidenceBucket(settings.durable)),
    attempts: bucket(attemptsBucket(settings.durable)),
    featureAttempts: bucket(attemptsBucket(settings.durablePrefix)),
    runAttempts: bucket(attemptsBucket("run-recorder-v1")),
    windowAttempts: bucket(attemptsBucket("lesson-windows-v1")),
    countAttempts: bucket(attemptsBucket("experience-counts-v1")),
    exposures: streamOf(state, "EXPOSURES"),
    exposureAttempts: bucket(attemptsBucket("exposure-recorder-v1")),
    outcomeAttempts: bucket(attemptsBucket("lesson-outcomes-v1")),
    reviewAttempts: bucket(attemptsBucket("review-feedback-v1")),
    changeAttempts: bucket(attemptsBucket("mission-snapshots-v1")),
    durables: {
      experience: durableOf(state, settings.durable),
      signals: durableOf(state, `${settings.durablePrefix}-signals`),
      feedback: durableOf(state, `${settings.durablePrefix}-feedback`),
      runs: durableOf(state, "run-recorder-v1"),
      windows: durableOf(state, "lesson-windows-v1"),
      counts: durableOf(state, "experience-counts-v1"),
      exposures: durableOf(state, "exposure-recorder-v1"),
      outcomes: durableOf(state, "lesson-outcomes-v1"),
      review: durableOf(state, "review-feedback-v1"),
      changes: durableOf(state, "mission-snapshots-v1"),
    },
  };
}

export function streamOf({ streams }: DesiredState, name: string): WantedStream {
  const found = streams.find(({ stream }) => stream.name === name);
  if (found === undefined) throw new Error(`no concern declares the stream ${name}`);
  return found.stream;
}

export function durableOf({ durables }: DesiredState, name: string): WantedDurable {
  const found = durables.find(({ config }) => config.durable_name === name);
  if (found === undefined) throw new Error(`no concern declares the durable ${name}`);
  return found;
}
