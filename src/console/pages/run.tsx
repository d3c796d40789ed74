import type { ReceiptsReply } from "../../handlers/lessons/wire.ts";
import type { eventsReplySchema } from "../../handlers/runs/wire.ts";
import type { Static } from "../../schema/typebox.ts";
import { assets } from "../assets.ts";
import type { Page, PageRequest } from "../page.ts";
import { Badge, Facts, Table } from "../parts/list.tsx";
import { RunEventRow } from "../parts/run-event.tsx";
import { Json, Text } from "../parts/text.tsx";
import { Time } from "../parts/time.tsx";
import { hrefOf } from "../request.ts";
import { isFinal, type Run, RunStatus, tookText } from "./runs.tsx";

/** One run: what it was told, and its events, the newest or those after a cursor; new ones come as they happen. */
export const runPage: Page = {
  ...{ path: "/runs/:run_id", section: "/runs" },
  async show(request) {
    const run_id = request.params["run_id"] ?? "";
    const run = await request.ask<Run>("runs-get", { run_id });
    const after = cursorIn(request.query) ?? Math.max(run.last_cursor - mostShown, 0);
    const isNewest = after + mostShown >= run.last_cursor;
    const [{ events }, told] = await Promise.all([
      request.ask<Events>("runs-events", { run_id, limit: mostShown, ...(after > 0 && { after }) }),
      request.find<ReceiptsReply>("lessons-receipts", { run_id }),
    ]);
    const shown = { request, run, events, after, isNewest };
    return {
      title: `Run ${run_id}`,
      crumbs: [{ title: "Runs", href: request.href("/runs") }],
      body: (
        <>
          <RunFacts request={request} run={run} />
          {told !== null && told.lessons.length > 0 && <Told {...{ request, told }} />}
          <Events {...shown} />
        </>
      ),
    };
  },
};

type Events = Static<typeof eventsReplySchema>;

/** An event may have 256 KiB. */
const mostShown = 50;
/** So many stay on a page that is followed. */
const mostKept = 200;

function cursorIn(query: URLSearchParams): number | null {
  const text = query.get("after") ?? "";
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function RunFacts({ request, run }: { readonly request: PageRequest; readonly run: Run }) {
  return (
    <section id="facts" aria-label="The run">
      <Facts
        facts={[
          ["Status", <RunStatus run={run} />],
          ["Agent", <Text fit="lines">{run.agent_id ?? "–"}</Text>],
          ["Session", <Text fit="lines">{run.session_id ?? "–"}</Text>],
          ["Started", <Time at={run.started_at} now={request.now} />],
          ["Took", tookText(run)],
          ["Last sign of life", <Time at={run.heartbeat_at} now={request.now} />],
          ["Newest event", `#${run.last_cursor}`],
        ]}
      />
      {run.question !== null && (
        <p>
          <span class="quiet">Question: </span>
          <Text>{run.question}</Text>
        </p>
      )}
      {run.error !== null && <Json value={run.error} />}
    </section>
  );
}

function Told({ request, told }: { request: PageRequest; told: ReceiptsReply }) {
  const { outcome, lessons } = told;
  return (
    <section aria-labelledby="told">
      <h2 id="told">Lessons it was told</h2>
      {outcome !== null && outcome.success !== null && (
        <p>{outcome.success ? "The run succeeded." : "The run did not succeed."}</p>
      )}
      <Table
        caption="Lessons it was told"
        head={[{ title: "Lesson" }, { title: "Told" }, { title: "When" }]}
      >
        {lessons.map(({ lesson_key: key, arm, why, at }) => (
          <tr>
            <td>
              <a href={request.href(`/lessons/${key.slice(0, 16)}`)}>
                <code>{key.slice(0, 16)}</code>
              </a>
            </td>
            <td>
              <Badge kind={arm === "attached" ? "good" : "plain"}>
                {arm === "attached"
                  ? "given"
                  : arm === "held_out"
                    ? "held out by the coin"
                    : (why ?? "left out")}
              </Badge>
            </td>
            <td class="nowrap">
              <Time at={at} now={request.now} />
            </td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function Events(options: {
  readonly request: PageRequest;
  readonly run: Run;
  readonly events: Events["events"];
  readonly after: number;
  readonly isNewest: boolean;
}) {
  const { request, run, events, after, isNewest } = options;
  const path = `/runs/${encodeURIComponent(run.run_id)}`;
  const last = events.at(-1)?.cursor ?? after;
  const isFollowed = isNewest && !isFinal(run.status);
  const from = hrefOf(`/live${path}`, { after: last, tenant: request.query.get("tenant") });
  const earlier = Math.max(after - mostShown, 0);
  return (
    <section aria-labelledby="events">
      <h2 id="events">Events</h2>
      <nav class="pager" aria-label="Events">
        {after > 0 && (
          <>
            <a class="button" href={request.href(path, { after: 0 })}>
              From the beginning
            </a>
            <a class="button" href={request.href(path, { after: earlier })}>
              Earlier
            </a>
          </>
        )}
        {!isNewest && (
          <>
            <a class="button" href={request.href(path, { after: last })}>
              Later
            </a>
            <a class="button" href={request.href(path)}>
              Newest
            </a>
          </>
        )}
      </nav>
      {isFollowed && (
        <p class="quiet" id="following" role="status">
          New events appear as they come.
        </p>
      )}
      <ol
        class="events"
        id="event-list"
        {...(isFollowed && {
          ...{ "data-follow": from, "data-most": mostKept, "data-worker": assets.worker.path },
        })}
      >
        {events.map((event) => (
          <RunEventRow event={event} now={request.now} />
        ))}
      </ol>
      {events.length === 0 && <p class="quiet">There is no event here.</p>}
    </section>
  );
}
