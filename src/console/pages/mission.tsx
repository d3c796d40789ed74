import type { IterationsReply, MissionReply } from "../../handlers/missions/wire.ts";
import type { Page, PageRequest } from "../page.ts";
import { Badge, Empty, Facts, Pager } from "../parts/list.tsx";
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
    const [mission, { iterations, cursor }] = await Promise.all([
      request.ask<MissionReply>("missions-get", of),
      request.ask<IterationsReply>("missions-iterations", {
        ...{ ...of, limit: pageSize },
        ...(from && { cursor: from }),
      }),
    ]);
    return {
      title: mission.title ?? mission.mission_id,
      crumbs: [{ title: "Missions", href: request.href(section) }],
      body: (
        <>
          <About {...{ request, mission }} />
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
        </>
      ),
    };
  },
};

function About({ request, mission }: { request: PageRequest; mission: MissionReply }) {
  const { claim, next_run_at: due, every_seconds: every, cron } = mission;
  return (
    <Facts
      facts={[
        ["State", <Text>{mission.state}</Text>],
        ["Due", due === null ? "–" : <Time at={due} now={request.now} />],
        ["Every", <Text>{cron ?? (every === null ? "once" : `${every} s`)}</Text>],
        ["Agent", <Text>{mission.agent_id ?? "–"}</Text>],
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
