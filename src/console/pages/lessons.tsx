import type { ListReply, WireLesson } from "../../handlers/lessons/wire.ts";
import type { Page, PageRequest } from "../page.ts";
import { Choice, Field, Filters } from "../parts/form.tsx";
import { Verdict } from "../parts/lesson.tsx";
import { Badge, Empty, Pager, Table } from "../parts/list.tsx";
import { Text } from "../parts/text.tsx";
import { Time } from "../parts/time.tsx";
import { firstSteps } from "./first-steps.ts";

const pageSize = 50;
const path = "/lessons";

/** What was learned: found by filters, the newest first or what befell most runs. */
export const lessonsPage: Page = {
  ...{ path, section: path, entry: "Lessons", range: "all", isLive: true },
  async show(request) {
    const { query, since } = request;
    const filter = filterFrom(query);
    const { lessons, cursor } = await request.ask<ListReply>("lessons-list", {
      ...{ ...filter, limit: pageSize },
      ...(since !== null && { since: new Date(since).toISOString() }),
    });
    const isFiltered = Object.keys(filter).length > 0 || since !== null;
    return {
      title: "Lessons",
      body: (
        <>
          <LessonFilters request={request} />
          <Orders request={request} />
          {lessons.length === 0 ? (
            <NoLessons request={request} isFiltered={isFiltered} />
          ) : (
            <LessonTable {...{ request, lessons }} />
          )}
          <Pager {...{ request, path, cursor }} />
        </>
      ),
    };
  },
};

const filters = ["agent_id", "task_type", "lesson_type", "scope", "text", "order", "cursor"];

function filterFrom(query: URLSearchParams): Record<string, string> {
  const given = filters.map((name) => [name, query.get(name)?.trim() ?? ""] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== ""));
}

function LessonFilters({ request }: { readonly request: PageRequest }) {
  const { query } = request;
  return (
    <Filters request={request}>
      <Field label="Search" name="text" type="search" value={query.get("text")} maxLength={256} />
      <Field label="Agent" name="agent_id" value={query.get("agent_id")} maxLength={128} />
      <Field label="Task" name="task_type" value={query.get("task_type")} maxLength={256} />
      <Choice
        label="Kind"
        name="lesson_type"
        value={query.get("lesson_type")}
        choices={{
          ...{ "": "any", error: "error", silent: "silent", latency: "latency" },
          reviewed: "reviewed",
        }}
      />
      <Choice
        label="Scope"
        name="scope"
        value={query.get("scope")}
        choices={{ "": "any", agent: "one agent", fleet: "the fleet" }}
      />
    </Filters>
  );
}

function Orders({ request }: { readonly request: PageRequest }) {
  const query = { ...Object.fromEntries(request.query), cursor: null };
  const chosen = request.query.get("order") === "runs" ? "runs" : "newest";
  const orders = { newest: "Newest", runs: "Most runs hit" } as const;
  return (
    <nav class="tabs" aria-label="Order">
      {Object.entries(orders).map(([order, title]) => (
        <a
          href={request.href(path, { ...query, order: order === "newest" ? null : order })}
          {...(order === chosen && { "aria-current": "true" })}
        >
          {title}
        </a>
      ))}
    </nav>
  );
}

function LessonTable(options: {
  readonly request: PageRequest;
  readonly lessons: readonly WireLesson[];
}) {
  const { request, lessons } = options;
  return (
    <Table
      caption="Lessons"
      head={[
        { title: "Lesson" },
        { title: "Runs hit", kind: "number" },
        { title: "Recovered", kind: "number wide" },
        { title: "Does it help?", kind: "wide" },
        { title: "Learned", kind: "wide" },
      ]}
    >
      {lessons.map((lesson) => (
        <LessonRow {...{ request, lesson }} />
      ))}
    </Table>
  );
}

function LessonRow({ request, lesson }: { request: PageRequest; lesson: WireLesson }) {
  const { lesson_key: key, recovery } = lesson;
  return (
    <tr id={`lesson-${key}`} data-news="lesson">
      <td>
        <a class="strong" href={request.href(`${path}/${key.slice(0, 16)}`)}>
          <Text fit="lines">{lesson.trigger}</Text>
        </a>
        <p class="quiet">
          <Badge>{lesson.lesson_type}</Badge> <State lesson={lesson} />
          {lesson.scope === "fleet" ? (
            "the whole fleet"
          ) : (
            <Text fit="short">{lesson.agent_id}</Text>
          )}
          {" · "}
          <Text fit="short">{lesson.task_type}</Text>
          <span class="narrow">
            {" · "}
            <Time at={lesson.ts} now={request.now} />
          </span>
        </p>
      </td>
      <td class="number">{recovery === null ? "–" : `${recovery.runs_failed}`}</td>
      <td class="number wide">
        {recovery === null || recovery.runs_failed === 0
          ? "–"
          : `${recovery.runs_recovered} of ${recovery.runs_failed}`}
      </td>
      <td class="wide">
        <Verdict verdict={lesson.verdict} />
      </td>
      <td class="wide nowrap">
        <Time at={lesson.ts} now={request.now} />
      </td>
    </tr>
  );
}

function State({ lesson: { status, pinned } }: { readonly lesson: WireLesson }) {
  return (
    <>
      {pinned && <Badge kind="good">pinned</Badge>}{" "}
      {status !== "live" && status !== "unknown" && <Badge kind="warn">{status}</Badge>}{" "}
    </>
  );
}

function NoLessons(options: { readonly request: PageRequest; readonly isFiltered: boolean }) {
  const { request, isFiltered } = options;
  if (isFiltered) {
    return (
      <Empty title="No lesson is like that.">
        <p>
          <a href={request.href(path, { range: null })}>Show all lessons</a>, or look{" "}
          <a href={request.href("/why")}>why there is none</a>.
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="Nothing has been learned yet.">
      <p>Three failures of one kind in three runs make a lesson. It appears here by itself.</p>
      <pre class="block">{firstSteps}</pre>
      <p>
        There were failures? <a href={request.href("/why")}>See why there is no lesson</a>.
      </p>
    </Empty>
  );
}
