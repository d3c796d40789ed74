import type { AgentsReply, MissionsReply } from "../../handlers/missions/wire.ts";
import type { Page, PageRequest } from "../page.ts";
import { Badge, Empty, Pager, Table } from "../parts/list.tsx";
import { Text } from "../parts/text.tsx";
import { Time } from "../parts/time.tsx";

const path = "/missions";
const pageSize = 50;

/** Agents that have missions, and when these are due. */
export const missionsPage: Page = {
  ...{ path, section: path, entry: "Missions", isLive: true },
  async show(request) {
    const cursor = request.query.get("cursor");
    const [missions, agents] = await Promise.all([
      request.find<MissionsReply>("missions-list", { limit: pageSize, ...(cursor && { cursor }) }),
      request.find<AgentsReply>("agents-list", { limit: pageSize }),
    ]);
    const isEmpty = (missions?.missions.length ?? 0) + (agents?.agents.length ?? 0) === 0;
    return {
      title: "Missions",
      body: isEmpty ? (
        <NoMissions />
      ) : (
        <>
          <MissionTable {...{ request }} missions={missions?.missions ?? []} />
          <Pager {...{ request, path }} cursor={missions?.cursor ?? null} />
          <h2>Agents</h2>
          <AgentTable agents={agents?.agents ?? []} />
        </>
      ),
    };
  },
};

function NoMissions() {
  return (
    <Empty title="There are no missions.">
      <p>Agents and missions come as changes of their records. To see some without a model:</p>
      <pre class="block" tabindex={0}>
        npm run demo -- --missions
      </pre>
    </Empty>
  );
}

const kinds = { active: "good", paused: "warn" } as Readonly<Record<string, "good" | "warn">>;

function MissionTable(options: { request: PageRequest; missions: MissionsReply["missions"] }) {
  const { request, missions } = options;
  return (
    <Table
      caption="Missions, by user"
      head={[
        ...[{ title: "Mission" }, { title: "State" }, { title: "Due" }],
        ...[
          { title: "Agent", kind: "wide" as const },
          { title: "User", kind: "wide" as const },
        ],
      ]}
    >
      {missions.map(
        ({ mission_id: id, user_id: user, title, state, next_run_at: due, agent_id }) => (
          <tr id={`mission-${user}-${id}`}>
            <td>
              <a
                class="strong"
                href={request.href(`${path}/${encodeURIComponent(user)}/${encodeURIComponent(id)}`)}
              >
                <Text fit="lines">{title ?? id}</Text>
              </a>
            </td>
            <td>
              <Badge kind={kinds[state] ?? "plain"}>
                <Text fit="short">{state}</Text>
              </Badge>
            </td>
            <td class="nowrap">{due === null ? "–" : <Time at={due} now={request.now} />}</td>
            <td class="wide">
              <Text fit="short">{agent_id ?? "–"}</Text>
            </td>
            <td class="wide">
              <Text fit="short">{user}</Text>
            </td>
          </tr>
        ),
      )}
    </Table>
  );
}

function AgentTable({ agents }: { readonly agents: AgentsReply["agents"] }) {
  return (
    <Table
      caption="Agents with missions"
      head={[
        ...[{ title: "Agent" }, { title: "State" }],
        ...[{ title: "At once", kind: "number" as const }],
        ...[{ title: "Tokens a day", kind: "number wide" as const }],
        ...[{ title: "User", kind: "wide" as const }],
      ]}
    >
      {agents.map((agent) => (
        <tr id={`agent-${agent.user_id}-${agent.agent_id}`}>
          <td>
            <Text fit="short">{agent.name ?? agent.agent_id}</Text>
            <p class="quiet">
              <Text fit="short">{agent.role ?? ""}</Text>
            </p>
          </td>
          <td>
            <Badge kind={kinds[agent.state] ?? "plain"}>{agent.state}</Badge>
          </td>
          <td class="number">{agent.max_concurrent_missions}</td>
          <td class="number wide">{agent.max_tokens_per_day ?? "–"}</td>
          <td class="wide">
            <Text fit="short">{agent.user_id}</Text>
          </td>
        </tr>
      ))}
    </Table>
  );
}
