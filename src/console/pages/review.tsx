import type { ListReply, WireEntry } from "../../handlers/review/wire.ts";
import type { Page, PageRequest } from "../page.ts";
import { Empty } from "../parts/list.tsx";
import { Text } from "../parts/text.tsx";
import { Time } from "../parts/time.tsx";
import { stageNames } from "./review-stages.ts";

const path = "/review";
const mostInColumn = 50;

/** The five that an entry passes; what was rejected is below them. */
const columns = ["feedback", "case_draft", "skill_draft", "reviewed", "merged"] as const;

/** From a complaint to a lesson: what is to be reviewed, stage by stage. */
export const reviewPage: Page = {
  ...{ path, section: path, entry: "Review", isLive: true },
  notices: { removed: "Removed. Its steps stay on record." },
  async show(request) {
    const stages = [...columns, "rejected"] as const;
    const lists = await Promise.all(
      stages.map((stage) => request.find<ListReply>("review-list", { stage, limit: mostInColumn })),
    );
    const entriesOf = (stage: (typeof stages)[number]) =>
      lists[stages.indexOf(stage)]?.entries ?? [];
    const isEmpty = lists.every((list) => (list?.entries.length ?? 0) === 0);
    return {
      title: "Review",
      body: isEmpty ? (
        <NothingToReview />
      ) : (
        <>
          <div class="board">
            {columns.map((stage) => (
              <Column {...{ request, stage }} entries={entriesOf(stage)} />
            ))}
          </div>
          {entriesOf("rejected").length > 0 && (
            <details class="details" id="rejected">
              <summary>{`Rejected: ${countOf(entriesOf("rejected"))}`}</summary>
              <Cards request={request} entries={entriesOf("rejected")} />
            </details>
          )}
        </>
      ),
    };
  },
};

function NothingToReview() {
  return (
    <Empty title="There is nothing to review.">
      <p>Feedback that is negative comes here by itself. To begin with an entry of your own:</p>
      <pre class="block" tabindex={0}>
        {`nats request experience.review.create '{"feedback_id":"f1","summary":"It booked the wrong day"}'`}
      </pre>
    </Empty>
  );
}

/** Of a column that is full, more may be there. */
const countOf = (entries: readonly WireEntry[]) =>
  entries.length === mostInColumn ? `${mostInColumn} or more` : String(entries.length);

function Column(options: {
  readonly request: PageRequest;
  readonly stage: (typeof columns)[number];
  readonly entries: readonly WireEntry[];
}) {
  const { request, stage, entries } = options;
  return (
    <section class="column" aria-labelledby={`column-${stage}`}>
      <h2 id={`column-${stage}`}>
        {stageNames[stage]} <span class="quiet">{countOf(entries)}</span>
      </h2>
      <Cards {...{ request, entries }} />
    </section>
  );
}

function Cards({ request, entries }: { request: PageRequest; entries: readonly WireEntry[] }) {
  if (entries.length === 0) return <p class="quiet">None.</p>;
  return (
    <ul class="cards">
      {entries.map((entry) => (
        <li class="card" id={`entry-${entry.entry_id}`} data-news="entry">
          <a class="strong" href={request.href(`${path}/${encodeURIComponent(entry.entry_id)}`)}>
            <Text fit="lines">{titleOf(entry)}</Text>
          </a>
          <p class="quiet">
            <Time at={entry.updated_at} now={request.now} />
            {entry.reviewer !== null && (
              <>
                {" · "}
                <Text fit="short">{entry.reviewer}</Text>
              </>
            )}
          </p>
        </li>
      ))}
    </ul>
  );
}

export const titleOf = ({ skill_draft: skill, summary, entry_id: id }: WireEntry) =>
  skill?.title ?? (summary || id);
