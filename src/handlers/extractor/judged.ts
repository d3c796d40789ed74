import { changeDocument } from "../../kv/change.ts";
import type { DocumentStore, Versioned } from "../../kv/document-store.ts";
import { eachSettled } from "../../runtime/all-settled.ts";
import type { Batch, Group } from "./batch.ts";
import { type CoverageSettings, isExpired } from "./coverage.ts";
import type { ExperienceEvent } from "./event.ts";
import {
  addEvidence,
  type Due,
  dueFrom,
  type EntryOutcome,
  type Evidence,
  type EvidenceLimits,
  noEvidence,
} from "./evidence.ts";
import type { Expectations } from "./expectations.ts";

/** A group with what its document says after its entries were added. */
export interface Judged {
  readonly group: Group;
  /** Of the batch that the group is of. */
  readonly events: readonly ExperienceEvent[];
  readonly document: Versioned<Evidence>;
  readonly due: Due;
}

/** Where evidence is kept, and what is known of it here. */
export interface EvidenceKeeping {
  readonly documents: DocumentStore<Evidence>;
  readonly expectations: Expectations;
  /** Epoch ms. */
  readonly now: () => number;
  readonly settings: CoverageSettings;
}

export const limitsOf = ({ subject }: Group, windowMs: number): EvidenceLimits => ({
  threshold: subject.rule.threshold,
  windowMs,
});

/**
 * Documents under way at the same time: enough that the bucket never waits. With all of a batch of new signatures, which may
 * be thousands, a third of the CPU time went into collecting what they had in hand.
 */
const documentsAtOnce = 512;

/**
 * Adds each group's entries to its document, and says what that calls for. Documents last written before `since` are
 * written again, to restart their time to live. What comes of an entry overrides the outcome of its event in `batch`.
 */
export async function addEvidenceOf(
  batch: Batch,
  since: number,
  keeping: EvidenceKeeping,
): Promise<Judged[]> {
  return await eachSettled([...batch.groups], documentsAtOnce, (one) =>
    addTo(one, batch, since, keeping),
  );
}

async function addTo(
  group: Group,
  batch: Batch,
  since: number,
  keeping: EvidenceKeeping,
): Promise<Judged> {
  const { documents, expectations, settings } = keeping;
  const { lessonKey } = group.subject;
  const limits = limitsOf(group, settings.windowMs);
  let outcomes: EntryOutcome[] = [];
  // What is read again must reach the bucket, whatever this replica remembers of it.
  const known = since === 0 ? unexpired(documents.cached(lessonKey), keeping) : undefined;
  let found: Evidence = noEvidence;
  const { document } = await changeDocument(
    documents,
    lessonKey,
    known ?? expectations.supposed(),
    noEvidence,
    (evidence) => {
      found = evidence;
      const added = addEvidence(evidence, group.entries, limits);
      outcomes = added.outcomes;
      return added.evidence;
    },
    since,
  );
  if (known === undefined) expectations.turnedOut(found === noEvidence);
  for (const [i, index] of group.eventIndexes.entries()) {
    const outcome = outcomes[i];
    if (outcome !== undefined && outcome !== "evidence") batch.outcomes[index] = outcome;
  }
  return { group, events: batch.events, document, due: dueFrom(document.value, limits) };
}

function unexpired(
  document: Versioned<Evidence> | undefined,
  { now, settings }: EvidenceKeeping,
): Versioned<Evidence> | undefined {
  return document && !isExpired(document.writtenAt, now(), settings) ? document : undefined;
}

/** By what is known here of its document now: something may have been stored meanwhile. */
export function judgedAgain(one: Judged, { documents, settings }: EvidenceKeeping): Judged {
  const document = documents.cached(one.group.subject.lessonKey) ?? one.document;
  return { ...one, document, due: dueFrom(document.value, limitsOf(one.group, settings.windowMs)) };
}

/** Of the documents that there are, epoch ms. */
export function oldestWrittenOf(judged: readonly Judged[]): number {
  const written = judged.filter(({ document }) => document.revision > 0);
  return Math.min(Number.POSITIVE_INFINITY, ...written.map(({ document }) => document.writtenAt));
}
