import type { WireEffect } from "../../handlers/effects/wire.ts";
import type { GetReply } from "../../handlers/lessons/wire.ts";
import type { Page, PageRequest } from "../page.ts";
import { Verdict } from "../parts/lesson.tsx";
import { Badge } from "../parts/list.tsx";
import { Text } from "../parts/text.tsx";
import { Time } from "../parts/time.tsx";
import { Curation, curate, notices } from "./lesson-curation.tsx";
import { LessonEffect } from "./lesson-effect.tsx";
import { LessonDecisions, LessonEvidence, LessonPrompt, LessonRecovery } from "./lesson-parts.tsx";

const path = "/lessons/:key";

/** Everything that is known of one lesson, and what a person may decide about it. */
export const lessonPage: Page = {
  ...{ path, section: "/lessons", isLive: true, notices },
  async show(request) {
    const lesson_key = request.params["key"] ?? "";
    const lesson = await request.ask<GetReply>("lessons-get", { lesson_key });
    const effect = await request.find<WireEffect>("effects-get", {
      lesson_key: lesson.lesson_key,
    });
    return {
      title: `Lesson ${lesson.lesson_key.slice(0, 8)}`,
      crumbs: [{ title: "Lessons", href: request.href("/lessons") }],
      body: <Lesson {...{ request, lesson, effect }} />,
    };
  },
  actions: { curate },
};

interface Shown {
  readonly request: PageRequest;
  readonly lesson: GetReply;
  readonly effect: WireEffect | null;
}

function Lesson({ request, lesson, effect }: Shown) {
  return (
    <>
      <p>
        <Badge>{lesson.lesson_type}</Badge>{" "}
        <Badge kind={lesson.status === "live" ? "good" : "warn"}>{lesson.status}</Badge>{" "}
        {lesson.pinned && <Badge kind="good">pinned</Badge>}{" "}
        <Verdict verdict={effect?.verdict ?? lesson.verdict} />
      </p>
      <dl class="told">
        <dt>Trigger</dt>
        <dd class="strong">
          <Text>{lesson.trigger}</Text>
        </dd>
        <dt>Do</dt>
        <dd>
          {lesson.action === "" ? (
            <span class="quiet">Nothing is certainly right.</span>
          ) : (
            <Text>{lesson.action}</Text>
          )}
        </dd>
        <dt>Avoid</dt>
        <dd>{lesson.avoid === "" ? <span class="quiet">–</span> : <Text>{lesson.avoid}</Text>}</dd>
        <dt>Whose</dt>
        <dd>
          {lesson.scope === "fleet" ? (
            "the whole fleet"
          ) : (
            <a href={request.href("/lessons", { agent_id: lesson.agent_id })}>
              <Text>{lesson.agent_id}</Text>
            </a>
          )}
          {", task "}
          <a href={request.href("/lessons", { task_type: lesson.task_type })}>
            <Text>{lesson.task_type}</Text>
          </a>
        </dd>
        <dt>Learned</dt>
        <dd>
          <Time at={lesson.ts} now={request.now} />
          {lesson.expires_at !== null && (
            <>
              {", expires "}
              <Time at={lesson.expires_at} now={request.now} />
            </>
          )}
        </dd>
      </dl>
      <Curation {...{ request, lesson }} />
      <LessonEffect {...{ lesson, effect }} />
      <LessonRecovery lesson={lesson} />
      <LessonEvidence {...{ request, lesson }} />
      <LessonPrompt lesson={lesson} />
      <LessonDecisions {...{ request, lesson }} />
    </>
  );
}
