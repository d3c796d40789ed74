import { blockOf } from "../../handlers/lessons/block.ts";
import type { GetReply } from "../../handlers/lessons/wire.ts";
import { SightingsPlot } from "../charts/sightings.tsx";
import type { PageRequest } from "../page.ts";
import { Facts, Table } from "../parts/list.tsx";
import { Json, Text } from "../parts/text.tsx";
import { Time } from "../parts/time.tsx";

const mostShown = 100;

/** How big it is, and what helped. */
export function LessonRecovery({ lesson: { recovery } }: { readonly lesson: GetReply }) {
  if (recovery === null) return null;
  const { runs_failed: failed, runs_seen: seen, runs_recovered: recovered, between } = recovery;
  const tools = Object.entries(between).sort((a, b) => b[1] - a[1]);
  return (
    <section aria-labelledby="recoveries">
      <h2 id="recoveries">Recoveries</h2>
      <Facts
        facts={[
          ["Runs that failed so", seen > 0 ? `${failed} of ${seen}` : `${failed}`],
          ["Recovered", failed > 0 ? `${recovered} of ${failed}` : "–"],
        ]}
      />
      {tools.length > 0 && (
        <Table
          caption="What runs that recovered had called in between"
          head={[{ title: "Called in between" }, { title: "Runs", kind: "number" }]}
        >
          {tools.slice(0, mostShown).map(([tool, runs]) => (
            <tr>
              <td>
                <Text code>{tool}</Text>
              </td>
              <td class="number">{`${runs} of ${recovered}`}</td>
            </tr>
          ))}
        </Table>
      )}
      {failed > 0 && recovered === 0 && <p class="quiet">No run has recovered from it.</p>}
    </section>
  );
}

/** Since when it is known, and how often it came back. */
export function LessonEvidence({ request, lesson }: { request: PageRequest; lesson: GetReply }) {
  const { evidence, sightings, signals } = lesson;
  const runs = stringsIn(evidence["run_ids"]);
  const seen = sightings.slice(0, mostShown);
  return (
    <section aria-labelledby="evidence">
      <h2 id="evidence">Evidence</h2>
      <Facts
        facts={Object.entries(signals).map(([name, value]) => [
          name.replaceAll("_", " "),
          <Text code fit="lines">
            {value}
          </Text>,
        ])}
      />
      {seen.length > 0 && (
        <SightingsPlot
          seen={seen.map(({ window_start, evidence: { count } }) => ({
            ...{ at: Date.parse(window_start), runs: Number(count) || 0 },
          }))}
          until={request.now}
        />
      )}
      <details id="sightings">
        <summary>{`Seen in ${sightings.length} windows`}</summary>
        <Table
          caption="Sightings"
          head={[
            { title: "Window" },
            { title: "Stored", kind: "wide" },
            { title: "Runs", kind: "number" },
          ]}
        >
          {seen.map(({ window_start, ts, evidence: { count } }) => (
            <tr>
              <td>
                <Time at={window_start} now={request.now} />
              </td>
              <td class="wide">
                <Time at={ts} now={request.now} />
              </td>
              <td class="number">{String(count)}</td>
            </tr>
          ))}
        </Table>
      </details>
      {runs.length > 0 && (
        <p>
          {"Runs of the evidence: "}
          {runs.slice(0, 10).map((run) => (
            <>
              <a href={request.href(`/runs/${encodeURIComponent(run)}`)}>
                <Text code fit="short">
                  {run}
                </Text>
              </a>{" "}
            </>
          ))}
        </p>
      )}
      <details id="evidence-json">
        <summary>Evidence as stored</summary>
        <Json value={evidence} />
      </details>
    </section>
  );
}

/** How an agent is told. */
export function LessonPrompt({ lesson: { facts } }: { readonly lesson: GetReply }) {
  return (
    <section aria-labelledby="prompt">
      <h2 id="prompt">Inside a prompt</h2>
      {facts === null ? (
        <p class="quiet">No agent is given it now.</p>
      ) : (
        <pre class="block" tabindex={0}>
          <Text code>{blockOf([facts])}</Text>
        </pre>
      )}
    </section>
  );
}

/** Who decided what about it, and why; and by which shares it was handed out. */
export function LessonDecisions({ request, lesson }: { request: PageRequest; lesson: GetReply }) {
  const { decisions, epochs } = lesson;
  return (
    <section aria-labelledby="decisions">
      <h2 id="decisions">Decisions</h2>
      {decisions.length === 0 ? (
        <p class="quiet">Nobody has decided anything about it.</p>
      ) : (
        <Table
          caption="Decisions"
          head={[{ title: "What" }, { title: "Who" }, { title: "Why" }, { title: "When" }]}
        >
          {decisions.slice(0, mostShown).map(({ action, by, reason, at, until }) => (
            <tr>
              <td>
                {action.replaceAll("_", " ")}
                {until !== null && (
                  <>
                    {", "}
                    <Time at={until} now={request.now} />
                  </>
                )}
              </td>
              <td>
                <Text>{by}</Text>
              </td>
              <td>
                <Text>{reason}</Text>
              </td>
              <td class="nowrap">
                <Time at={at} now={request.now} />
              </td>
            </tr>
          ))}
        </Table>
      )}
      {epochs.length > 0 && (
        <details id="epochs">
          <summary>{`Shares of runs that were given it: ${epochs.length}`}</summary>
          <Table
            caption="Epochs"
            head={[
              { title: "Share", kind: "number" },
              { title: "State" },
              { title: "Why" },
              { title: "Since" },
            ]}
          >
            {epochs.slice(0, mostShown).map(({ share, state, reason, at }) => (
              <tr>
                <td class="number">{`${Math.round(share * 100)} %`}</td>
                <td>{state}</td>
                <td>
                  <Text>{reason}</Text>
                </td>
                <td class="nowrap">
                  <Time at={at} now={request.now} />
                </td>
              </tr>
            ))}
          </Table>
        </details>
      )}
    </section>
  );
}

function stringsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
