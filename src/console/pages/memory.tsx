import { BusError } from "../../errors.ts";
import type { AuditReply, ListReply, RemoveReply, WireMemory } from "../../handlers/memory/wire.ts";
import type { Page, PageRequest } from "../page.ts";
import { Choice, Confirm, Field, Filters, Form, WhoAnswers } from "../parts/form.tsx";
import { Badge, Empty, Pager, Table } from "../parts/list.tsx";
import { Text } from "../parts/text.tsx";
import { Time } from "../parts/time.tsx";

const path = "/memory";
const pageSize = 50;

/** What is known of projects and of the world, and how far it may be believed. */
export const memoryPage: Page = {
  ...{ path, section: path, entry: "Memory", isLive: true },
  notices: {
    judged: "Your verdict is on record.",
    promoted: "Promoted: it is on record who answers for it.",
    removed: "Removed. Its promotions stay on record.",
  },
  async show(request) {
    const filter = filterFrom(request.query);
    const [{ entries, cursor }, audit] = await Promise.all([
      request.ask<ListReply>("memory-list", { ...filter, limit: pageSize }),
      request.find<AuditReply>("memory-audit", { limit: 10 }),
    ]);
    return {
      title: "Memory",
      body: (
        <>
          <MemoryFilters request={request} />
          {entries.length === 0 ? (
            <NoMemory isFiltered={Object.keys(filter).length > 0} />
          ) : (
            <MemoryTable {...{ request, entries }} />
          )}
          <Pager {...{ request, path, cursor }} />
          {audit && audit.promotions.length > 0 && <Promotions {...{ request, audit }} />}
        </>
      ),
    };
  },
  actions: {
    async judge({ form, ask, may }) {
      // Agents report by the endpoint; here it is a person's word.
      if (!may("review")) throw new BusError("forbidden", "this token may not review");
      const field = (name: string) => form.get(name) ?? "";
      await ask("memory-feedback", { entry_id: field("entry_id"), verdict: field("verdict") });
      return { notice: "judged" };
    },
    async promote({ form, ask }) {
      const field = (name: string) => form.get(name)?.trim() ?? "";
      const policy = {
        ...{ from_scope: field("from_scope"), to_scope: field("to_scope") },
        ...{ trigger: "reviewer_approval", reviewer: field("reviewer") },
      };
      await ask("memory-promote", { entry_id: form.get("entry_id"), policy });
      return { notice: "promoted" };
    },
    async remove({ form, ask }) {
      const { removed } = await ask<RemoveReply>("memory-remove", {
        entry_id: form.get("entry_id"),
      });
      if (!removed) throw new BusError("not_found", "somebody else has removed this entry");
      return { notice: "removed" };
    },
  },
};

function filterFrom(query: URLSearchParams): Record<string, string> {
  const given = ["scope", "project_key", "cursor"].map(
    (name) => [name, query.get(name)?.trim() ?? ""] as const,
  );
  return Object.fromEntries(given.filter(([, value]) => value !== ""));
}

function MemoryFilters({ request }: { readonly request: PageRequest }) {
  const { query } = request;
  return (
    <Filters request={request}>
      <Choice
        label="Scope"
        name="scope"
        value={query.get("scope")}
        choices={{ "": "any", project: "a project", world: "the world" }}
      />
      <Field label="Project" name="project_key" value={query.get("project_key")} maxLength={128} />
    </Filters>
  );
}

const kinds = { confirmed: "good", provisional: "plain", rejected: "bad" } as Readonly<
  Record<string, "good" | "plain" | "bad">
>;

function MemoryTable(options: { request: PageRequest; entries: readonly WireMemory[] }) {
  const { request, entries } = options;
  const mayJudge = request.may("review");
  const mayDecide = request.may("admin");
  return (
    <Table
      caption="Entries"
      head={[
        ...[{ title: "Insight" }, { title: "Status" }],
        ...[{ title: "Confidence", kind: "number wide" as const }],
        ...[{ title: "Saved", kind: "wide" as const }],
        ...(mayJudge ? [{ title: "Is it so?" }] : []),
        ...(mayDecide ? [{ title: "Decide" }] : []),
      ]}
    >
      {entries.map((entry) => (
        <tr id={`memory-${entry.entry_id}`} data-news="entry">
          <td>
            <Text fit="lines">{entry.insight}</Text>
            <p class="quiet">
              {entry.scope === "world" ? (
                "the world"
              ) : (
                <Text fit="short">{entry.project_key ?? "a project"}</Text>
              )}{" "}
              {entry.tags.map((tag) => (
                <>
                  <Badge>
                    <Text fit="short">{tag}</Text>
                  </Badge>{" "}
                </>
              ))}
            </p>
          </td>
          <td>
            <Badge kind={kinds[entry.status] ?? "plain"}>{entry.status.replace("_", " ")}</Badge>
          </td>
          <td class="number wide">{entry.confidence.toFixed(2)}</td>
          <td class="wide nowrap">
            <Time at={entry.created_at} now={request.now} />
          </td>
          {mayJudge && (
            <td>
              <Judge {...{ request, entry }} />
            </td>
          )}
          {mayDecide && (
            <td>
              <Decide {...{ request, entry }} />
            </td>
          )}
        </tr>
      ))}
    </Table>
  );
}

function Judge({ request, entry }: { request: PageRequest; entry: WireMemory }) {
  const answers = { positive: "Yes", negative: "No" } as const;
  return (
    <div class="choices">
      {Object.entries(answers).map(([verdict, answer]) => (
        <Form {...{ request, action: "judge" }} fields={{ entry_id: entry.entry_id, verdict }}>
          <button class="button" type="submit">
            {answer}
          </button>
        </Form>
      ))}
    </div>
  );
}

function Decide({ request, entry }: { request: PageRequest; entry: WireMemory }) {
  const { entry_id, scope } = entry;
  return (
    <div class="choices">
      <Confirm label="Promote …" id={`promote-${entry_id}`}>
        <Form {...{ request, action: "promote" }} fields={{ entry_id, from_scope: scope }}>
          <p>It concerns more than it did, or the same with more weight: you answer for it.</p>
          <Choice
            label="It concerns"
            name="to_scope"
            value="world"
            choices={{ project: "a project", world: "the world" }}
          />
          <WhoAnswers request={request} name="reviewer" />
          <button class="button primary" type="submit">
            Promote
          </button>
        </Form>
      </Confirm>
      <Confirm label="Remove …" id={`remove-${entry_id}`}>
        <Form {...{ request, action: "remove" }} fields={{ entry_id }}>
          <p>No agent is told it any more. Its promotions stay on record.</p>
          <button class="button primary" type="submit">
            Remove
          </button>
        </Form>
      </Confirm>
    </div>
  );
}

function Promotions({ request, audit }: { request: PageRequest; audit: AuditReply }) {
  return (
    <section aria-labelledby="promotions">
      <h2 id="promotions">Promotions</h2>
      <Table
        caption="The last promotions"
        head={[{ title: "Entry" }, { title: "To" }, { title: "Why" }, { title: "When" }]}
      >
        {audit.promotions.map((one) => (
          <tr>
            <td>
              <Text code fit="short">
                {one.entry_id}
              </Text>
            </td>
            <td>{one.to_scope}</td>
            <td>
              {one.trigger.replaceAll("_", " ")} <Text fit="short">{one.reviewer ?? ""}</Text>
            </td>
            <td class="nowrap">
              <Time at={one.at} now={request.now} />
            </td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function NoMemory({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered) return <Empty title="No entry is like that." />;
  return (
    <Empty title="Nothing is remembered yet.">
      <p>What agents find out about a project is saved by request:</p>
      <pre class="block" tabindex={0}>
        {`nats request experience.memory.save '{"scope":"project","project_key":"shop","insight":"Orders are made before they are paid","confidence":0.8,"tags":["orders"]}'`}
      </pre>
    </Empty>
  );
}
