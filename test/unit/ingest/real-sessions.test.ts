import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { extractorSettings } from "../../../src/handlers/extractor/settings.ts";
import { eventFrom } from "../../../src/handlers/extractor/wire.ts";
import { claudeCodeSession } from "../../../src/handlers/ingest/dialects/claude-code-session.ts";
import { isFields } from "../../../src/handlers/ingest/dialects/fields.ts";
import type { Mapped } from "../../../src/handlers/ingest/mapped.ts";
import { previewLessons } from "../../../src/handlers/ingest/preview.ts";
import { reader } from "../../../src/settings/environment.ts";

/** A folder with session files of Claude Code, as `~/.claude/projects` is; nobody's are in this repository. */
const folder = process.env["EXPERIENCE_TEST_SESSIONS"];

const none = /sibling tool call|doesn't want to proceed|tool use was rejected|request interrupted/i;

describe.skipIf(folder === undefined)(
  "real sessions (EXPERIENCE_TEST_SESSIONS names a folder with some)",
  () => {
    let mapped: Mapped[] = [];
    beforeAll(() => {
      mapped = sessionsIn(folder ?? "");
    });

    test("what a sibling's failure or a person stopped is no evidence", () => {
      const evidence = mapped.filter(({ event, reason }) => event && !event.result.ok && !reason);
      expect(mapped.length).toBeGreaterThan(0);
      expect(
        evidence
          .map(({ event }) => event?.result.error_class)
          .filter((one) => none.test(one ?? "")),
      ).toEqual([]);
    });

    test.each(["run", "event"] as const)(
      "no lesson of a day is about a person's no, a sibling's failure or a tool's time, counted by %s",
      (countBy) => {
        const rules = rulesFor(extractorSettings(reader({}, [])));
        const windowMs = 24 * 3_600_000;
        const lessons = previewLessons(eventsOf(mapped), rules, { windowMs, countBy });
        expect(lessons.filter(({ lesson_type }) => lesson_type === "latency")).toEqual([]);
        expect(lessons.filter(({ signals }) => none.test(JSON.stringify(signals)))).toEqual([]);
      },
    );
  },
);

function sessionsIn(root: string): Mapped[] {
  const names = readdirSync(root, { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) => {
      const session = claudeCodeSession();
      const lines = readFileSync(join(root, name), "utf8").split("\n");
      return lines.flatMap((line) => {
        const value = line.trim() === "" ? null : JSON.parse(line);
        return isFields(value) ? session.read(value) : [];
      });
    });
}

function eventsOf(mapped: readonly Mapped[]): ExperienceEvent[] {
  const context = {
    ...{ defaultAgentId: "unknown", defaultEventId: "unknown" },
    ...{ storedAt: Date.now(), maxFutureMs: Number.POSITIVE_INFINITY },
  };
  return mapped.flatMap(({ event }) => (event ? [eventFrom(event, context)] : []));
}
