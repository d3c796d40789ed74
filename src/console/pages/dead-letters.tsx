import type { ListReply, ReplayReply, WireLetter } from "../../handlers/deadletters/wire.ts";
import type { Page, PageRequest } from "../page.ts";
import { Choice, Confirm, Field, Filters, Form } from "../parts/form.tsx";
import { Badge, Empty, Pager, Table } from "../parts/list.tsx";
import { Text } from "../parts/text.tsx";
import { Time } from "../parts/time.tsx";

const path = "/dead-letters";
const pageSize = 50;

/** What could not be processed, and why. */
export const deadLettersPage: Page = {
  ...{ path, section: path, entry: "Dead letters", may: "admin", fleet: true },
  ...{ range: "all", isLive: true },
  notices: { replayed: "{count} published again where they came from." },
  async show(request) {
    const filter = filterFrom(request);
    const replayed = request.query.get("replayed") || "false";
    const from = request.query.get("cursor");
    const { dead_letters: letters, cursor } = await request.ask<ListReply>("deadletters-list", {
      ...{ ...filter, limit: pageSize },
      ...(replayed !== "any" && { replayed: replayed === "true" }),
      ...(from && { cursor: from }),
    });
    return {
      title: "Dead letters",
      body: (
        <>
          <LetterFilters {...{ request, replayed }} />
          {letters.length === 0 ? (
            <NoLetters {...{ request }} isFiltered={Object.keys(filter).length > 0} />
          ) : (
            <>
              <ReplayAll {...{ request, filter }} />
              <LetterTable {...{ request, letters }} />
            </>
          )}
          <Pager {...{ request, path, cursor }} />
        </>
      ),
    };
  },
  actions: {
    async "replay-all"(request) {
      const filter = filterFrom(request);
      const all = Object.keys(filter).length === 0 ? { all: true } : filter;
      let count = 0;
      let cursor: string | null = null;
      // Each answer covers what fits into its time.
      do {
        const reply: ReplayReply = await request.ask<ReplayReply>("deadletters-replay", {
          ...all,
          ...(cursor !== null && { cursor }),
        });
        count += reply.replayed;
        cursor = reply.cursor;
      } while (cursor !== null);
      return { notice: "replayed", count };
    },
  },
};

function filterFrom({ query, since }: Pick<PageRequest, "query" | "since">) {
  const given = ["stream", "durable", "reason"].map(
    (name) => [name, query.get(name)?.trim() ?? ""] as const,
  );
  return {
    ...Object.fromEntries(given.filter(([, value]) => value !== "")),
    ...(since !== null && { since: new Date(since).toISOString() }),
  };
}

function LetterFilters({ request, replayed }: { request: PageRequest; replayed: string }) {
  const { query } = request;
  return (
    <Filters request={request}>
      <Field label="Reason" name="reason" type="search" value={query.get("reason")} />
      <Field label="Stream" name="stream" value={query.get("stream")} maxLength={255} />
      <Field label="Durable" name="durable" value={query.get("durable")} maxLength={255} />
      <Choice
        {...{ label: "Replayed", name: "replayed", value: replayed }}
        choices={{ false: "not yet", true: "replayed", any: "both" }}
      />
    </Filters>
  );
}

function ReplayAll({ request, filter }: { request: PageRequest; filter: object }) {
  const which = Object.keys(filter).length > 0 ? "that match this filter" : "of all streams";
  return (
    <section class="actions" aria-label="Replay">
      <Confirm label="Replay all …" id="replay-all">
        <Form request={request} action="replay-all">
          <p>
            {`All dead letters ${which} that have not been replayed are published again where they came from. What fails again comes back here.`}
          </p>
          <button type="submit" class="button primary">
            Replay them
          </button>
        </Form>
      </Confirm>
    </section>
  );
}

function LetterTable(options: { request: PageRequest; letters: readonly WireLetter[] }) {
  const { request, letters } = options;
  return (
    <Table
      caption="Dead letters"
      head={[
        { title: "Reason" },
        { title: "From", kind: "wide" },
        { title: "Attempts", kind: "number wide" },
        { title: "Given up" },
      ]}
    >
      {letters.map((letter) => (
        <tr id={`letter-${letter.id}`} data-news="dead letter">
          <td>
            <a class="strong" href={request.href(`${path}/${letter.id}`)}>
              <Text fit="lines">{letter.reason}</Text>
            </a>
            <p class="quiet">
              <Badge>{letter.code}</Badge>{" "}
              <Text code fit="short">
                {letter.subject}
              </Text>{" "}
              {letter.replayed_at !== null && <Badge kind="good">replayed</Badge>}
            </p>
          </td>
          <td class="wide">
            <Text fit="short">{`${letter.stream} / ${letter.durable}`}</Text>
          </td>
          <td class="number wide">{letter.attempts}</td>
          <td class="nowrap">
            <Time at={letter.at} now={request.now} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

function NoLetters({ request, isFiltered }: { request: PageRequest; isFiltered: boolean }) {
  return (
    <Empty title={isFiltered ? "No dead letter is like that." : "Everything could be processed."}>
      <p>
        {isFiltered ? (
          <a href={request.href(path, { range: null })}>Show all that are open</a>
        ) : (
          "Messages that cannot be processed are kept here, with the reason."
        )}
      </p>
    </Empty>
  );
}
