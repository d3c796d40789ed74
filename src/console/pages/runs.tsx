import { finalStatuses, statuses } from "../../handlers/runs/status.ts";
import type { listRunsReplySchema, runSchema } from "../../handlers/runs/wire.ts";
import type { Static } from "../../schema/typebox.ts";
import type { Page, PageRequest } from "../page.ts";
import { Choice, Field, Filters } from "../parts/form.tsx";
import { Badge, Empty, Pager, Table } from "../parts/list.tsx";
import { Text } from "../parts/text.tsx";
import { durationText, Time } from "../parts/time.tsx";

export type Run = Static<typeof runSchema>;

const path = "/runs";
const pageSize = 50;

/** Runs, the newest started first. */
export const runsPage: Page = {
  ...{ path, section: path, entry: "Runs", range: "all", isLive: true },
  async show(request) {
    const { query, since } = request;
    const filter = filterFrom(query);
    const { runs, cursor } = await request.ask<Static<typeof listRunsReplySchema>>("runs-list", {
      ...{ ...filter, limit: pageSize },
      ...(since !== null && { since: new Date(since).toISOString() }),
    });
    const isFiltered = Object.keys(filter).length > 0 || since !== null;
    return {
      title: "Runs",
      body: (
        <>
          <RunFilters query={query} request={request} />
          {runs.length === 0 ? (
            <NoRuns {...{ request, isFiltered }} />
          ) : (
            <RunTable {...{ request, runs }} />
          )}
          <Pager {...{ request, path, cursor }} />
        </>
      ),
    };
  },
};

function filterFrom(query: URLSearchParams): Record<string, string> {
  const given = ["agent_id", "status", "cursor"].map(
    (name) => [name, query.get(name)?.trim() ?? ""] as const,
  );
  return Object.fromEntries(given.filter(([, value]) => value !== ""));
}

function RunFilters({ request, query }: { request: PageRequest; query: URLSearchParams }) {
  const choices = Object.fromEntries(statuses.map((one) => [one, one.replaceAll("_", " ")]));
  return (
    <Filters request={request}>
      <Field label="Agent" name="agent_id" value={query.get("agent_id")} maxLength={128} />
      <Choice
        {...{ label: "Status", name: "status", value: query.get("status") }}
        choices={{ "": "any", ...choices }}
      />
    </Filters>
  );
}

function RunTable({ request, runs }: { request: PageRequest; runs: readonly Run[] }) {
  return (
    <Table
      caption="Runs"
      head={[
        { title: "Run" },
        { title: "Status" },
        { title: "Events", kind: "number" },
        { title: "Took", kind: "number wide" },
        { title: "Started", kind: "wide" },
      ]}
    >
      {runs.map((run) => (
        <tr id={`run-${run.run_id}`} data-news="run">
          <td>
            <a class="strong" href={request.href(`${path}/${encodeURIComponent(run.run_id)}`)}>
              <Text fit="lines">{run.run_id}</Text>
            </a>
            <p class="quiet">
              <Text fit="short">{run.agent_id ?? "no agent named"}</Text>
              {run.question !== null && (
                <>
                  {" · "}
                  <Text fit="short">{shortened(run.question)}</Text>
                </>
              )}
              <span class="narrow">
                {" · "}
                <Time at={run.started_at} now={request.now} />
              </span>
            </p>
          </td>
          <td>
            <RunStatus run={run} />
          </td>
          <td class="number">{run.last_cursor}</td>
          <td class="number wide nowrap">{tookText(run)}</td>
          <td class="wide nowrap">
            <Time at={run.started_at} now={request.now} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

export function RunStatus({ run: { status } }: { readonly run: Pick<Run, "status"> }) {
  const kind = status === "completed" ? "good" : isFinal(status) ? "bad" : "plain";
  return <Badge kind={kind}>{status.replaceAll("_", " ")}</Badge>;
}

export function isFinal(status: Run["status"]): boolean {
  return finalStatuses.some((final) => final === status);
}

/** How long it took; a dash while it has not ended. */
export function tookText({ started_at: started, completed_at: completed }: Run): string {
  if (completed === null) return "–";
  return durationText(Date.parse(completed) - Date.parse(started)) ?? "under 1 s";
}

const mostShown = 200;

function shortened(text: string): string {
  return text.length > mostShown ? `${text.slice(0, mostShown)}…` : text;
}

function NoRuns({ request, isFiltered }: { request: PageRequest; isFiltered: boolean }) {
  if (isFiltered) {
    return (
      <Empty title="No run is like that.">
        <p>
          <a href={request.href(path, { range: null })}>Show all runs</a>
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No run has been recorded yet.">
      <p>
        Agents record what happens in a run as it happens. A run appears here with its first event:
      </p>
      <pre class="block" tabindex={0}>
        {`curl -X POST -H 'Content-Type: application/json' \\
  -d '{"run_id":"r-1","agent_id":"example","type":"run_started"}' \\
  <this address>/api/v1/runs/append`}
      </pre>
    </Empty>
  );
}
