import { html, raw } from "hono/html";
import type { Child } from "hono/jsx";
import type { FleetHealth } from "../../handlers/console/fleet-health.ts";
import type { AgentsReply, SeriesReply } from "../../handlers/console/wire.ts";
import { msText, percentText } from "../charts/scale.ts";
import { Sparkline } from "../charts/time-chart.tsx";
import type { Page, PageRequest } from "../page.ts";
import { Badge, Empty, Facts, Table } from "../parts/list.tsx";
import { Text } from "../parts/text.tsx";
import { durationText, Time } from "../parts/time.tsx";
import { firstSteps } from "./first-steps.ts";
import { FleetSeries } from "./fleet-series.tsx";

/** So many are shown at first, and so many on demand. */
const fewAgents = 50;
const mostAgents = 200;

/** How the fleet does: who fails, since when, and whether the service keeps up. */
export const fleetPage: Page = {
  ...{ path: "/", section: "/", entry: "Fleet", range: "24h", isLive: true },
  async show(request) {
    const health = request.find<FleetHealth>("fleet-health");
    const [service, { fleet, charts }] = await Promise.all([health, counted(request)]);
    return {
      title: "Fleet",
      body: (
        <>
          {service && <Service {...{ request, health: service }} />}
          {charts === null || fleet === null ? (
            <NotCounted />
          ) : fleet.agents.length === 0 ? (
            <FirstSteps request={request} />
          ) : (
            <>
              {charts}
              <Agents {...{ request, fleet }} />
            </>
          )}
        </>
      ),
    };
  },
};

interface Counted {
  readonly fleet: AgentsReply | null;
  readonly charts: Child | null;
}

/** Both at once; but all of the time begins with the first event. */
async function counted({ find, since, now, query }: PageRequest): Promise<Counted> {
  const limit = query.get("agents") === "all" ? mostAgents : fewAgents;
  const agents = (from: number) =>
    find<AgentsReply>("counts-agents", { since: from, until: now, limit });
  const charts = async (from: number) => {
    const series = await find<SeriesReply>("counts-series", { since: from, until: now });
    // Made while the agents are still being counted.
    return series && raw(String(FleetSeries({ series })));
  };
  if (since !== null) {
    const [fleet, drawn] = await Promise.all([agents(since), charts(since)]);
    return { fleet, charts: drawn };
  }
  const fleet = await agents(0);
  return { fleet, charts: await charts(Date.parse(fleet?.first_at ?? "1970-01-01")) };
}

function NotCounted() {
  return (
    <Empty title="Nothing is counted here.">
      <p>
        No replica hosts the concern <code>console</code>: see <code>EXPERIENCE_CONCERNS</code>.
      </p>
    </Empty>
  );
}

function FirstSteps({ request }: { readonly request: PageRequest }) {
  return (
    <Empty title="No agent has been heard of yet.">
      <p>Three steps to the first lesson:</p>
      <ol>
        <li>
          Publish three failures of one kind, each in a run of its own:
          <pre class="block" tabindex={0}>
            {firstSteps}
          </pre>
        </li>
        <li>
          Watch this page: the agent <code>example</code> appears by itself within seconds.
        </li>
        <li>
          Look at <a href={request.href("/lessons")}>what was learned</a>, or{" "}
          <a href={request.href("/why")}>ask why there is no lesson</a>.
        </li>
      </ol>
    </Empty>
  );
}

const kinds = { ok: "good", degraded: "warn", down: "bad", silent: "warn" } as const;

function Service({ request, health }: { request: PageRequest; health: FleetHealth }) {
  const { replicas, consumers, dead_letters_open: open } = health;
  const waiting = consumers.reduce((sum, one) => sum + one.pending + one.ack_pending, 0);
  const worst = replicas.filter(({ status }) => status !== "ok").length;
  return (
    <section aria-label="The service">
      <Facts
        facts={[
          [
            "Replicas",
            <>
              <span class="figure-large">{replicas.length}</span>{" "}
              <Badge kind={worst === 0 ? "good" : "warn"}>
                {worst === 0 ? "all well" : `${worst} not well`}
              </Badge>
            </>,
          ],
          ["Messages waiting", <span class="figure-large">{waiting}</span>],
          [
            "Dead letters, open",
            request.may("admin") ? (
              <a class="figure-large" href={request.href("/dead-letters", { range: null })}>
                {open ?? "–"}
              </a>
            ) : (
              <span class="figure-large">{open ?? "–"}</span>
            ),
          ],
        ]}
      />
      <details class="details" id="service">
        <summary>Each replica and each durable</summary>
        <Replicas health={health} />
        <Durables health={health} />
      </details>
    </section>
  );
}

function Replicas({ health }: { readonly health: FleetHealth }) {
  return (
    <Table
      caption="Replicas"
      head={[{ title: "Replica" }, { title: "Health" }, { title: "Version" }, { title: "Up for" }]}
    >
      {health.replicas.map(({ instance, status, version, uptime_seconds: up, problems }) => (
        <tr id={`replica-${instance}`}>
          <td>
            <Text code fit="short">
              {instance}
            </Text>
          </td>
          <td>
            <Badge kind={kinds[status]}>{status}</Badge>
            {problems.map((problem) => (
              <p class="quiet">
                <Text>{problem}</Text>
              </p>
            ))}
          </td>
          <td>{version ?? "–"}</td>
          <td>
            {up === null ? "–" : (durationText(60_000 * Math.floor(up / 60)) ?? "under 1 min")}
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Durables({ health }: { readonly health: FleetHealth }) {
  return (
    <Table
      caption="Durables"
      head={[
        { title: "Durable" },
        { title: "Not delivered yet", kind: "number" },
        { title: "Not acked yet", kind: "number" },
      ]}
    >
      {health.consumers.map(({ name, pending, ack_pending }) => (
        <tr id={`durable-${name}`}>
          <td>
            <Text code>{name}</Text>
          </td>
          <td class="number">{pending}</td>
          <td class="number">{ack_pending}</td>
        </tr>
      ))}
    </Table>
  );
}

function Agents({ request, fleet }: { request: PageRequest; fleet: AgentsReply }) {
  const { agents, agents_total: total } = fleet;
  return (
    <section aria-labelledby="agents">
      <h2 id="agents">Agents</h2>
      <Table
        caption="Each agent"
        head={[
          ...[{ title: "Agent" }, { title: "Failed", kind: "number" as const }],
          { title: "Over time", kind: "wide" },
          ...(["Calls", "Silent", "Slow", "Half within", "95 % within"] as const).map((title) => ({
            ...{ title, kind: "number wide" as const },
          })),
          { title: "Last heard of" },
        ]}
      >
        {agents.map((agent) => agentRow(request, agent))}
      </Table>
      {total > agents.length && (
        <p class="quiet">
          {`${agents.length} of ${total} agents, those that failed most often.`}{" "}
          {agents.length < mostAgents && (
            <a href={request.href("/", { agents: "all" })}>
              {total <= mostAgents ? "Show all" : `Show ${mostAgents}`}
            </a>
          )}
        </p>
      )}
    </section>
  );
}

/** As text: there are hundreds on a page, and elements cost several times as much. */
function agentRow(request: PageRequest, agent: AgentsReply["agents"][number]) {
  const { agent_id: id, failure_rate: rate, ok, error, silent } = agent;
  const lessons = request.href("/lessons", { agent_id: id, range: null });
  const failed = rate === null ? "–" : percentText(rate);
  const times = [agent.p50_ms, agent.p95_ms].map((ms) => (ms === null ? "–" : msText(ms)));
  const figures = [ok + error + silent, silent, agent.slow, ...times].map(
    (figure) => html`<td class="number wide">${figure}</td>`,
  );
  const name = html`<a class="strong" href="${lessons}">${Text({ fit: "short", children: id })}</a>`;
  const first = html`<td>${name}</td><td class="number">${failed}</td>`;
  const last = html`<td class="nowrap">${Time({ at: agent.last_at, now: request.now })}</td>`;
  return html`<tr id="agent-${id}" data-news="agent">${first}<td class="wide">${trendOf(agent)}</td>${figures}${last}</tr>`;
}

function trendOf({ trend }: AgentsReply["agents"][number]) {
  const rates = trend.filter((one) => one !== null);
  if (rates.length === 0) return null;
  const [least, most] = [percentText(Math.min(...rates)), percentText(Math.max(...rates))];
  return Sparkline({ values: trend, label: `failure rate over time, from ${least} to ${most}` });
}
