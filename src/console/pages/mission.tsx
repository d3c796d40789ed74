import { type Decision, decide } from "../../handlers/missions/gates.ts";
import type {
  AgentReply,
  AuditReply,
  IterationsReply,
  MissionReply,
} from "../../handlers/missions/wire.ts";
import type { Page, PageRequest } from "../page.ts";
import { Badge, Empty, Facts, Pager, Table } from "../parts/list.tsx";
import { Json, Text } from "../parts/text.tsx";
import { Time } from "../parts/time.tsx";

const section = "/missions";
const pageSize = 20;

/** One mission: when it is due, who works on it, and what was planned. */
export const missionPage: Page = {
  ...{ path: "/missions/:user_id/:mission_id", section, isLive: true },
  async show(request) {
    const { user_id, mission_id } = request.params;
    const of = { user_id, mission_id };
    const from = request.query.get("cursor");
    const [mission, { iterations, cursor }, audit] = await Promise.all([
      request.ask<MissionReply>("missions-get", of),
      request.ask<IterationsReply>("missions-iterations", {
        ...{ ...of, limit: pageSize },
        ...(from && { cursor: from }),
      }),
      request.find<AuditReply>("missions-audit", { ...of, limit: pageSize }),
    ]);
    const { agent_id } = mission;
    const agent =
      agent_id === null
        ? null
        : await request.find<AgentReply>("agents-get", { user_id, agent_id });
    return {
      title: mission.title ?? mission.mission_id,
      crumbs: [{ title: "Missions", href: request.href(section) }],
      body: (
        <>
          <About {...{ request, mission, agent }} />
          <h2>Iterations</h2>
          {iterations.length === 0 && (
            <Empty title="Nothing has been planned yet.">
              <p>A mission is planned when it is due, if its agent may.</p>
            </Empty>
          )}
          {iterations.map((iteration) => (
            <Iteration {...{ request, iteration }} />
          ))}
          <Pager {...{ request, cursor }} path="" />
          {audit !== null && audit.attempts.length > 0 && <Decrypted {...{ request, audit }} />}
        </>
      ),
    };
  },
};

/** What its agent's gates say, as they stand. */
const decisionNames: Readonly<Record<Decision, string>> = {
  ran: "may run",
  "skipped-archived": "held back: its agent is archived, or there is none",
  "skipped-paused": "held back: its agent is paused",
  "skipped-concurrency": "held back: its agent runs as many as it may",
  "skipped-budget": "held back: its agent has used its tokens of 24 hours",
};

function decisionOf(agent: AgentReply | null): Decision {
  if (agent === null) return decide(null, { running: 0, tokens: 0 });
  const { running, tokens_24h: tokens } = agent;
  const limits = {
    maxConcurrentMissions: agent.max_concurrent_missions,
    maxTokensPerDay: agent.max_tokens_per_day,
  };
  return decide({ state: agent.state, ...limits }, { running, tokens });
}

function About(options: {
  readonly request: PageRequest;
  readonly mission: MissionReply;
  readonly agent: AgentReply | null;
}) {
  const { request, mission, agent } = options;
  const decision = mission.agent_id === null ? "ran" : decisionOf(agent);
  const { claim, next_run_at: due, every_seconds: every, cron } = mission;
  return (
    <Facts
      facts={[
        ["State", <Text>{mission.state}</Text>],
        ["Due", due === null ? "–" : <Time at={due} now={request.now} />],
        ["Every", <Text>{cron ?? (every === null ? "once" : `${every} s`)}</Text>],
        ["Agent", <Text>{agent?.name ?? mission.agent_id ?? "–"}</Text>],
        [
          "When it is due",
          <Badge kind={decision === "ran" ? "good" : "warn"}>{decisionNames[decision]}</Badge>,
        ],
        ...(agent === null
          ? []
          : [
              ["Running", `${agent.running} of ${agent.max_concurrent_missions}`] as const,
              [
                "Tokens of 24 hours",
                `${agent.tokens_24h} of ${agent.max_tokens_per_day ?? "any"}`,
              ] as const,
            ]),
        [
          "Worked on by",
          claim === null || claim.expires_at === null ? (
            "nobody right now"
          ) : (
            <Text code>{claim.holder}</Text>
          ),
        ],
        ["Failures in a row", claim?.failures ?? 0],
      ]}
    />
  );
}

function Iteration(options: {
  readonly request: PageRequest;
  readonly iteration: IterationsReply["iterations"][number];
}) {
  const { request, iteration } = options;
  const isApproved = iteration.overall_status === "approved";
  return (
    <article class="verdict" id={`iteration-${iteration.iteration_id}`}>
      <p>
        <Badge kind={isApproved ? "good" : "warn"}>
          <Text fit="short">{iteration.overall_status}</Text>
        </Badge>{" "}
        due <Time at={iteration.due_at} now={request.now} />
        {`, ${iteration.tokens} tokens`}
      </p>
      <p>
        <Text>{iteration.summary}</Text>
      </p>
      <details>
        <summary>The plan</summary>
        <Json value={iteration.plan} />
      </details>
    </article>
  );
}

const outcomes = { ok: "good", failed: "warn", "scope-violation": "bad" } as Readonly<
  Record<string, "good" | "warn" | "bad">
>;

/** Encrypted values that its plans wanted to read: each attempt is on record for good. */
function Decrypted({ request, audit }: { request: PageRequest; audit: AuditReply }) {
  return (
    <section aria-labelledby="decrypted">
      <h2 id="decrypted">Decrypted values</h2>
      <Table
        caption="The last attempts to decrypt"
        head={[
          ...[{ title: "Outcome" }, { title: "Record" }, { title: "Field" }],
          ...[{ title: "Iteration", kind: "wide" as const }, { title: "When" }],
        ]}
      >
        {audit.attempts.map((one) => (
          <tr>
            <td>
              <Badge kind={outcomes[one.outcome] ?? "plain"}>{one.outcome.replace("-", " ")}</Badge>
            </td>
            <td>
              <Text fit="short">{`${one.table}/${one.record_id}`}</Text>
            </td>
            <td>
              <Text code fit="short">
                {one.field}
              </Text>
            </td>
            <td class="wide">
              <Text code fit="short">
                {one.iteration_id}
              </Text>
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
