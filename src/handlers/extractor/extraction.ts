import { BusError } from "../../errors.ts";
import { handleByHalves } from "../../runtime/halving.ts";
import type { Isolated } from "../../runtime/isolated.ts";
import { type Batch, groupEvents, type Outcome } from "./batch.ts";
import type { CoverageSettings } from "./coverage.ts";
import type { ExperienceEvent } from "./event.ts";
import type { CountBy, Evidence } from "./evidence.ts";
import { createExpectations } from "./expectations.ts";
import { createHandledMessages, type HandledMessages } from "./handled-messages.ts";
import { addEvidenceOf, type EvidenceKeeping, judgedAgain, oldestWrittenOf } from "./judged.ts";
import type { EvidenceBucket, History, LessonPublisher, LessonStore } from "./ports.ts";
import { createRebuild, type Rebuild } from "./rebuild.ts";
import type { Rule } from "./rules/index.ts";
import { type Settled, type SettledElsewhere, settledOf } from "./settled.ts";
import { type Effects, storeDue } from "./store-due.ts";
import { createStoredEvents, type StoredEvents } from "./stored.ts";
import type { SuccessMemory } from "./success-memory.ts";

export interface ExtractionPorts {
  readonly bucket: EvidenceBucket;
  readonly successes: Pick<SuccessMemory, "note" | "of">;
  readonly lessons: LessonStore;
  readonly publisher: LessonPublisher;
  readonly history: History;
  /** Epoch ms. */
  readonly now: () => number;
  /** What other replicas know to be settled. */
  readonly elsewhere?: Pick<SettledElsewhere, "known">;
  /** Resolves after so many ms; default: by the clock. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

export interface ExtractionSettings extends CoverageSettings {
  readonly okSamplePercent: number;
  readonly countBy: CountBy;
}

export interface Report {
  /** One per event. */
  readonly outcomes: readonly Outcome[];
  /** Of the batch, and of what was read again on its account. */
  readonly effects: readonly Effects[];
}

export interface Extraction {
  /**
   * Turns events into lessons. When it resolves, every effect of theirs is stored, and their messages
   * may be acked. It may be called again for the same events, in any order, at any time, by any
   * replica, after a crash anywhere in between: the outcome is the same.
   */
  handle(events: readonly ExperienceEvent[], isolated?: Isolated): Promise<Report>;
  /** Makes up for what replicas of an older version were given, which last wrote evidence at `olderWroteAt` (epoch ms). */
  makeUp(olderWroteAt: number, signal: AbortSignal): Promise<readonly Effects[]>;
  /** Which events need not be handled. */
  readonly stored: StoredEvents;
  /** What of these events' signatures is settled, as far as memory knows. */
  settledOf(events: readonly ExperienceEvent[]): Settled[];
}

/** What the steps of an extraction share. */
interface Extracting {
  readonly ports: ExtractionPorts;
  readonly rules: readonly Rule[];
  readonly settings: ExtractionSettings;
  /** What is remembered here of a lesson key. */
  readonly known: (lessonKey: string) => Evidence | undefined;
  readonly keeping: EvidenceKeeping;
  readonly rebuild: Rebuild;
  readonly handled: HandledMessages;
}

/**
 * The order of effects (docs/architecture.md): evidence, coverage, lessons and sightings, publication,
 * "stored" in the document; the caller acks. A crash between any two is harmless, because what was not
 * acked comes back, finds its evidence there, and goes on from the first effect that is missing.
 */
export function createExtraction(
  ports: ExtractionPorts,
  rules: readonly Rule[],
  settings: ExtractionSettings,
): Extraction {
  const { now } = ports;
  const { evidence: documents, coverage } = ports.bucket;
  const known = (lessonKey: string) => documents.cached(lessonKey)?.value;
  const knownAnywhere = (lessonKey: string) =>
    ports.elsewhere?.known(lessonKey) ?? known(lessonKey);
  const forget = () => documents.forget();
  const extracting: Extracting = {
    ...{ ports, rules, settings, known },
    keeping: { documents, expectations: createExpectations(), now, settings },
    rebuild: createRebuild({ ...ports, coverage, forget }, settings),
    handled: createHandledMessages(),
  };
  return {
    handle: (events, isolated) => handle(events, isolated, extracting),
    makeUp: (olderWroteAt, signal) => makeUp(olderWroteAt, signal, extracting),
    stored: createStoredEvents(rules, knownAnywhere, settings),
    settledOf: (events) => settledOf(events, rules, known, settings.windowMs),
  };
}

async function handle(
  events: readonly ExperienceEvent[],
  isolated: Isolated | undefined,
  extracting: Extracting,
): Promise<Report> {
  const { ports, keeping, rebuild, handled, settings } = extracting;
  const batch = groupEvents(events, extracting.rules, extracting.known, settings);
  ports.successes.note(batch.sampled);
  const judged = await addEvidenceOf(batch, 0, keeping);
  const outcomes = outcomesOf(batch, handled);
  handled.add(events);
  const rebuilt = await rebuild.ensureCovered(
    events,
    batch.oldestTs,
    oldestWrittenOf(judged),
    judged.length > 0,
    (again, since) => handleAgain(again, since, extracting),
    isolated,
  );
  // What a rebuild has stored meanwhile is not stored, and counted, a second time.
  const left = rebuilt.length === 0 ? judged : judged.map((one) => judgedAgain(one, keeping));
  const effects = await storeDue(left, ports, settings.windowMs);
  return { outcomes, effects: [...rebuilt.flat(), effects] };
}

/** What is read again on account of a batch; documents last written before `since` are written again. */
async function handleAgain(
  events: readonly ExperienceEvent[],
  since: number,
  extracting: Extracting,
): Promise<Effects[]> {
  const { ports, keeping, handled, settings } = extracting;
  handled.add(events);
  const batch = groupEvents(events, extracting.rules, extracting.known, settings);
  ports.successes.note(batch.sampled);
  const judged = await addEvidenceOf(batch, since, keeping);
  return unlessRefused(judged, async (some) => [await storeDue(some, ports, settings.windowMs)]);
}

async function makeUp(
  olderWroteAt: number,
  signal: AbortSignal,
  extracting: Extracting,
): Promise<readonly Effects[]> {
  const results = await extracting.rebuild.makeUp(olderWroteAt, (events) => {
    if (signal.aborted) throw new BusError("unavailable", "stopping");
    return unlessRefused(
      events,
      async (some) => (await handle(some, undefined, extracting)).effects,
    );
  });
  return results.flat();
}

/** A message that comes again finds itself in the document: that is no duplicate. */
export function outcomesOf(
  { events, outcomes }: Pick<Batch, "events" | "outcomes">,
  handled: Pick<HandledMessages, "has">,
): Outcome[] {
  return outcomes.map((outcome, i) =>
    outcome === "duplicate" && handled.has(events[i]) ? "evidence" : outcome,
  );
}

/**
 * The effects of what PostgreSQL does not refuse, where events are read again: a refused lesson is the fault of its own
 * events and shows where they are consumed; it must not make dead letters of the events beside them.
 */
async function unlessRefused<T>(
  items: readonly T[],
  work: (some: readonly T[]) => Promise<readonly Effects[]>,
): Promise<Effects[]> {
  const effects: Effects[] = [];
  await handleByHalves(items, {
    async handle(some) {
      effects.push(...(await work(some)));
    },
    canRefuse: () => true,
    refusedAlone: () => undefined,
  });
  return effects;
}
