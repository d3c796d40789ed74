import { BusError } from "../../errors.ts";
import type { GetReply, ReplayReply } from "../../handlers/deadletters/wire.ts";
import type { Page, PageRequest } from "../page.ts";
import { Confirm, Form } from "../parts/form.tsx";
import { Badge, Facts, Table } from "../parts/list.tsx";
import { Text } from "../parts/text.tsx";
import { Time } from "../parts/time.tsx";

/** One message that could not be processed, as it was, and the way back. */
export const deadLetterPage: Page = {
  ...{ path: "/dead-letters/:id", section: "/dead-letters", may: "admin", fleet: true },
  notices: { replayed: "Published again where it came from." },
  async show(request) {
    const letter = await request.ask<GetReply>("deadletters-get", { id: request.params["id"] });
    return {
      title: `Dead letter ${letter.id}`,
      crumbs: [{ title: "Dead letters", href: request.href("/dead-letters") }],
      body: <Letter {...{ request, letter }} />,
    };
  },
  actions: {
    async replay({ ask, params, href }) {
      const { replayed, skipped } = await ask<ReplayReply>("deadletters-replay", {
        id: params["id"],
      });
      if (replayed === 0) {
        throw new BusError("conflict", skipped[0]?.reason ?? "it has been replayed already");
      }
      return { notice: "replayed", to: href("/dead-letters", { notice: "replayed", count: 1 }) };
    },
  },
};

function Letter({ request, letter }: { readonly request: PageRequest; readonly letter: GetReply }) {
  const headers = Object.entries(letter.headers);
  return (
    <>
      <p class="strong">
        <Text>{letter.reason}</Text>
      </p>
      {letter.replayed_at === null ? (
        <section class="actions" aria-label="Replay">
          <Confirm label="Replay …" id="replay">
            <Form request={request} action="replay">
              <p>
                {"This message is published again to "}
                <Text code>{letter.subject}</Text>
                {". If it fails again, it comes back as a new dead letter."}
              </p>
              <button type="submit" class="button primary">
                Replay it
              </button>
            </Form>
          </Confirm>
        </section>
      ) : (
        <p>
          <Badge kind="good">replayed</Badge> <Time at={letter.replayed_at} now={request.now} />
        </p>
      )}
      <Facts
        facts={[
          ["Code", letter.code],
          ["Stream", <Text>{letter.stream}</Text>],
          ["Durable", <Text>{letter.durable}</Text>],
          ["Subject", <Text code>{letter.subject}</Text>],
          ["Sequence", String(letter.sequence)],
          ["Attempts", String(letter.attempts)],
          ["Deliveries", String(letter.deliveries)],
          ["Replayed before", String(letter.replays)],
          ["Given up", <Time at={letter.at} now={request.now} />],
        ]}
      />
      <h2>{`Payload, ${letter.bytes} bytes`}</h2>
      {letter.cut && <p class="quiet">Only its beginning is kept.</p>}
      <pre class="block" tabindex={0}>
        <Text code>{letter.payload}</Text>
      </pre>
      {headers.length > 0 && (
        <>
          <h2>Headers</h2>
          <Table caption="Headers" head={[{ title: "Name" }, { title: "Value" }]}>
            {headers.map(([name, values]) => (
              <tr>
                <td>
                  <Text code>{name}</Text>
                </td>
                <td>
                  <Text code>{values.join(", ")}</Text>
                </td>
              </tr>
            ))}
          </Table>
        </>
      )}
    </>
  );
}
