import { needsReviewer, type Stage, stages } from "../../handlers/review/stages.ts";
import type { GetReply } from "../../handlers/review/wire.ts";
import type { Action, Page, PageRequest } from "../page.ts";
import { Confirm, Field, Form, WhoAnswers } from "../parts/form.tsx";
import { Badge, Facts, Table } from "../parts/list.tsx";
import { Text } from "../parts/text.tsx";
import { Time } from "../parts/time.tsx";
import { titleOf } from "./review.tsx";
import { stageNames, stepMeans, stepNames } from "./review-stages.ts";

const section = "/review";

/** One entry: what is known of it, where it can go, and where it has been. */
export const reviewEntryPage: Page = {
  ...{ path: "/review/:entry_id", section, isLive: true },
  notices: Object.fromEntries(
    stages.map((stage) => [stage, `Now at: ${stageNames[stage]}.`] as const),
  ),
  async show(request) {
    const entry = await request.ask<GetReply>("review-get", {
      entry_id: request.params["entry_id"],
    });
    return {
      title: titleOf(entry),
      crumbs: [{ title: "Review", href: request.href(section) }],
      body: (
        <>
          <About {...{ request, entry }} />
          {request.may("review") && <Steps {...{ request, entry }} />}
          <History {...{ request, entry }} />
        </>
      ),
    };
  },
  actions: {
    advance: (request) => advance(request),
    async remove({ form, params, ask, href }) {
      const field = (name: string) => form.get(name)?.trim() ?? "";
      const { entry_id } = params;
      await ask("review-remove", { entry_id, by: field("by"), reason: field("reason") });
      return { to: href(section, { notice: "removed" }) };
    },
  },
};

function About({ request, entry }: { request: PageRequest; entry: GetReply }) {
  const { case: written, skill_draft: skill } = entry;
  return (
    <>
      <Facts
        facts={[
          ["Stage", <Badge>{stageNames[entry.stage]}</Badge>],
          ["Changed", <Time at={entry.updated_at} now={request.now} />],
          ["Reviewer", <Text>{entry.reviewer ?? "nobody yet"}</Text>],
          ["Feedback", <Text code>{entry.feedback_id}</Text>],
          ["Run", entry.run_id === null ? "–" : <RunLink request={request} id={entry.run_id} />],
          [
            "Lesson",
            entry.lesson_key === null ? (
              "–"
            ) : (
              <a href={request.href(`/lessons/${entry.lesson_key.slice(0, 16)}`)}>the lesson</a>
            ),
          ],
        ]}
      />
      {entry.summary && (
        <p>
          <Text>{entry.summary}</Text>
        </p>
      )}
      {written && (
        <Told
          title="Case"
          lines={[
            ["Id", written.case_id],
            ["What went wrong", written.text],
            ["Why it is cited", written.citation_reason],
          ]}
        />
      )}
      {skill && (
        <Told
          title="Skill"
          lines={[
            ["When", skill.when],
            ["Do", skill.do],
            ["Avoid", skill.avoid],
            ["Agent", skill.agent_id],
            ["Task", skill.task_type],
          ]}
        />
      )}
    </>
  );
}

function RunLink({ request, id }: { request: PageRequest; id: string }) {
  return (
    <a href={request.href(`/runs/${encodeURIComponent(id)}`)}>
      <Text fit="short">{id}</Text>
    </a>
  );
}

function Told(options: {
  title: string;
  lines: readonly (readonly [string, string | undefined])[];
}) {
  return (
    <section aria-label={options.title}>
      <h2>{options.title}</h2>
      <dl class="told">
        {options.lines.map(([name, text]) =>
          text ? (
            <>
              <dt>{name}</dt>
              <dd>
                <Text>{text}</Text>
              </dd>
            </>
          ) : null,
        )}
      </dl>
    </section>
  );
}

function Steps({ request, entry }: { request: PageRequest; entry: GetReply }) {
  return (
    <section class="actions" aria-label="Next step">
      {entry.allowed.map((to) => (
        <Confirm label={`${stepNames[to]} …`} id={`step-${to}`}>
          <Form
            request={request}
            action="advance"
            fields={{ to, expected_updated_at: entry.updated_at }}
          >
            <p>{stepMeans[to]}</p>
            <StepFields {...{ request, entry, to }} />
            <button type="submit" class="button primary">
              {stepNames[to]}
            </button>
          </Form>
        </Confirm>
      ))}
      <Confirm label="Remove …" id="remove">
        <Form {...{ request, action: "remove" }}>
          <p>
            The entry is gone, and its steps stay on record. A lesson that was merged stays, too:
            silence it if it must not be told.
          </p>
          <WhoAnswers request={request} name="by" />
          <Field label="Reason" name="reason" maxLength={2_000} required />
          <button type="submit" class="button primary">
            Remove
          </button>
        </Form>
      </Confirm>
    </section>
  );
}

function StepFields(options: { request: PageRequest; entry: GetReply; to: Stage }) {
  const { request, entry, to } = options;
  const skill = entry.skill_draft;
  return (
    <>
      {to === "case_draft" && (
        <>
          <Field label="Case id" name="case_id" value={entry.entry_id} maxLength={128} required />
          <Field
            label="What went wrong"
            name="text"
            value={entry.summary}
            maxLength={8_000}
            required
          />
        </>
      )}
      {to === "skill_draft" && (
        <>
          <Field label="Skill id" name="id" value={skill?.id} maxLength={128} required />
          <Field label="Title" name="title" value={skill?.title} maxLength={200} required />
          <Field label="When" name="when" value={skill?.when} maxLength={500} required />
          {/* `do` is what each form itself asks for. */}
          <Field label="Do" name="skill_do" value={skill?.do} maxLength={2_000} required />
          <Field label="Avoid" name="avoid" value={skill?.avoid} maxLength={1_000} />
          <Field
            label="Agent (empty: all)"
            name="agent_id"
            value={skill?.agent_id}
            maxLength={128}
          />
          <Field
            label="Task (empty: all)"
            name="task_type"
            value={skill?.task_type}
            maxLength={128}
          />
        </>
      )}
      {needsReviewer(to) && <WhoAnswers request={request} name="reviewer" />}
    </>
  );
}

/** As its form was filled in; what is left empty is left out. */
const advance: Action = async ({ form, params, ask }) => {
  const given = (names: readonly string[]) =>
    names.flatMap((name) => {
      const value = form.get(name)?.trim() ?? "";
      return value === "" ? [] : [[name, value] as const];
    });
  const to = form.get("to") ?? "";
  const skill = given(["id", "title", "when", "agent_id", "task_type"]);
  const action = given(["skill_do"]).map(([, text]) => ["do", text] as const);
  await ask("review-advance", {
    ...{ entry_id: params["entry_id"], to },
    ...Object.fromEntries(given(["reviewer", "expected_updated_at"])),
    ...(to === "case_draft" && { case: Object.fromEntries(given(["case_id", "text"])) }),
    ...(to === "skill_draft" && {
      skill_draft: {
        ...Object.fromEntries([...skill, ...action]),
        avoid: form.get("avoid")?.trim() ?? "",
      },
    }),
  });
  return { notice: to };
};

function History({ request, entry }: { request: PageRequest; entry: GetReply }) {
  return (
    <section aria-labelledby="history">
      <h2 id="history">History</h2>
      <Table
        caption="Each step"
        head={[
          { title: "Step" },
          { title: "Who" },
          { title: "When" },
          { title: "Why", kind: "wide" },
        ]}
      >
        {entry.history.map(({ what, to_stage: to, who, reason, at }) => (
          <tr>
            <td>{what === "advanced" && to !== null ? stageNames[to] : what}</td>
            <td>
              <Text fit="short">{who ?? "–"}</Text>
            </td>
            <td class="nowrap">
              <Time at={at} now={request.now} />
            </td>
            <td class="wide">
              <Text fit="lines">{reason ?? ""}</Text>
            </td>
          </tr>
        ))}
      </Table>
    </section>
  );
}
