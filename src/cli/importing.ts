import { hash } from "node:crypto";
import { isRefusal } from "../errors.ts";
import type { ExperienceEvent } from "../handlers/extractor/event.ts";
import type { CountBy } from "../handlers/extractor/evidence.ts";
import { rulesFor } from "../handlers/extractor/rules/index.ts";
import { extractorSettings } from "../handlers/extractor/settings.ts";
import { eventFrom } from "../handlers/extractor/wire.ts";
import type { MappedEvent } from "../handlers/ingest/mapped.ts";
import { isEvidence, previewLessons } from "../handlers/ingest/preview.ts";
import type { Reason } from "../handlers/ingest/reasons.ts";
import { type Environment, reader } from "../settings/environment.ts";
import { readExperienceSubjects, readNatsSettings } from "../settings/index.ts";
import { experienceSubject } from "../subjects.ts";
import type { FoundRecord } from "./import-files.ts";
import type { ImportSum } from "./import-report.ts";
import { openEventPublisher } from "./publishing.ts";
import { printable } from "./table.ts";

export interface ImportInto {
  readonly env: Environment;
  /** Epoch ms: what is older is left out. */
  readonly since: number;
  readonly windowMs: number;
  readonly countBy: CountBy;
  readonly tenant: string | undefined;
  readonly dryRun: boolean;
  /** For how long NATS may be away. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Events that are under way at once. */
const inFlight = 256;
/** More failures than anybody has in files of one person; the summary's lessons are made of the first. */
const mostKept = 200_000;

export async function openImport(options: ImportInto) {
  const { env, since, windowMs, countBy, tenant, dryRun } = options;
  const subjects = readExperienceSubjects(env);
  // Bad settings are the service's to refuse: here the defaults will do.
  const rules = rulesFor(extractorSettings(reader(env, [])));
  const publisher = dryRun
    ? null
    : await openEventPublisher({ ...options, nats: readNatsSettings(env), subjects, complain });
  const count = { ok: 0, failed: 0, cancelled: 0, stored: 0, duplicates: 0, invalid: 0 };
  const notCounted = new Map<Reason, number>();
  const kept: ExperienceEvent[] = [];
  const under = new Set<Promise<void>>();
  let failure: unknown = null;

  const passOver = (reason: Reason) => notCounted.set(reason, (notCounted.get(reason) ?? 0) + 1);
  const refuse = ({ file, line }: FoundRecord, reason: string) => {
    count.invalid += 1;
    complain(`${file}, line ${line}: ${reason}`);
  };

  function send(record: FoundRecord, value: MappedEvent, event: ExperienceEvent): Promise<void> {
    if (publisher === null) return Promise.resolve();
    const { tenantId, agentId, eventId } = event;
    const payload = Buffer.from(JSON.stringify(value));
    const subject = experienceSubject(subjects, agentId);
    return publisher.publish({ subject, payload, tenantId, agentId, eventId }).then((result) => {
      if (typeof result === "object") refuse(record, result.reason);
      else if (result === "stored") count.stored += 1;
      else count.duplicates += 1;
    });
  }

  return {
    /** Resolves when there is room for the next one; rejects when one could not be published. */
    async take(record: FoundRecord): Promise<void> {
      if (failure !== null) throw failure;
      const { event: given, reason } = record.mapped;
      if (reason !== undefined) passOver(reason);
      if (given === undefined) return;
      const value = tenant === undefined ? given : { ...given, tenant_id: tenant };
      const event = understood(value, record, refuse);
      if (event === null) return;
      if (event.ts < since) {
        passOver("too_old");
        return;
      }
      count[event.cancelled ? "cancelled" : event.ok ? "ok" : "failed"] += 1;
      if (kept.length < mostKept && isEvidence(event, rules)) kept.push(event);
      const sending = send(record, value, event)
        .catch((error: unknown) => {
          failure ??= error;
        })
        .finally(() => under.delete(sending));
      under.add(sending);
      if (under.size >= inFlight) await Promise.race(under);
    },
    async close(): Promise<void> {
      await Promise.all(under);
      await publisher?.close();
      if (failure !== null) throw failure;
    },
    sum: (files: number): ImportSum => ({
      ...{ files, ...count, notCounted, dryRun, windowHours: windowMs / 3_600_000 },
      lessons: previewLessons(kept, rules, { windowMs, countBy }),
    }),
  };
}

/** As the service will read it; null where it will not. */
function understood(
  value: MappedEvent,
  record: FoundRecord,
  refuse: (record: FoundRecord, reason: string) => void,
): ExperienceEvent | null {
  try {
    return eventFrom(value, {
      defaultAgentId: "unknown",
      defaultEventId: `line-${record.line}-${hash("sha256", JSON.stringify(value), "hex")}`,
      storedAt: Date.now(),
      maxFutureMs: Number.POSITIVE_INFINITY,
    });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    refuse(record, error.message);
    return null;
  }
}

/** Above the progress line, where there is one. */
function complain(text: string): void {
  const clear = process.stderr.isTTY ? "\r\u001b[K" : "";
  process.stderr.write(`${clear}experience-bus: ${printable(text)}\n`);
}
