import type { Explanation } from "../../handlers/extractor/explain.ts";
import { inspectJson } from "../../schema/json.ts";
import type { Page, PageRequest } from "../page.ts";
import { Form } from "../parts/form.tsx";
import { Badge, Facts } from "../parts/list.tsx";
import { Json, Text } from "../parts/text.tsx";

const path = "/why";
const title = "Why is there no lesson?";

/** What one event means to each rule. Nothing is stored. */
export const whyPage: Page = {
  ...{ path, section: path, entry: "Why no lesson?" },
  show: async (request) => ({ title, body: <Question request={request} event={sample} /> }),
  actions: {
    async explain(request) {
      const event = request.form.get("event") ?? "";
      const explained = await request.ask<Explanation>("extractor-explain", objectIn(event));
      const body = (
        <>
          <Question {...{ request, event }} />
          <Verdicts {...{ request, explained }} />
        </>
      );
      return { shown: { title, body } };
    },
  },
};

/** What is no JSON is left to the endpoint to refuse in its words. Throws `bad_request` for what no event may have. */
function objectIn(text: string): object {
  let value: object;
  try {
    value = JSON.parse(text) as object;
  } catch {
    return [];
  }
  // What nests too deep cannot be written down for the endpoint.
  inspectJson(value);
  return value;
}

const sample = JSON.stringify(
  {
    ...{ agent_id: "example", task_type: "tool_call", run_id: "r-17", tool: { name: "search" } },
    result: { ok: false, error_class: "timeout" },
  },
  null,
  2,
);

function Question({ request, event }: { readonly request: PageRequest; readonly event: string }) {
  return (
    <>
      <p>
        Paste an event as an agent publishes it. Each rule says what it makes of it, and how far it
        is from a lesson. Nothing is stored.
      </p>
      <Form request={request} action="explain">
        <label class="field">
          <span>Event (JSON)</span>
          <textarea name="event" rows={14} spellcheck={false} required>
            {`\n${event}`}
          </textarea>
        </label>
        <button type="submit" class="button primary">
          Explain
        </button>
      </Form>
    </>
  );
}

function Verdicts({ request, explained }: { request: PageRequest; explained: Explanation }) {
  return (
    <section aria-labelledby="verdicts">
      <h2 id="verdicts">What each rule says</h2>
      {explained.rules.map((rule) => (
        <article class="verdict">
          <h3>
            {rule.lesson_type}{" "}
            <Badge kind={rule.is_evidence ? "good" : "plain"}>
              {rule.is_evidence ? "evidence" : "no evidence"}
            </Badge>
          </h3>
          <p>
            <Text>{rule.because}</Text>
          </p>
          {rule.is_evidence && <RuleFacts rule={rule} />}
          {rule.lesson_exists && rule.lesson_key && (
            <p>
              <a href={request.href(`/lessons/${rule.lesson_key.slice(0, 16)}`)}>See the lesson</a>
            </p>
          )}
        </article>
      ))}
      <details id="understood">
        <summary>The event as it was understood</summary>
        <Json value={explained.event} />
      </details>
    </section>
  );
}

function RuleFacts({ rule }: { readonly rule: Explanation["rules"][number] }) {
  const { evidence, threshold, window_seconds: seconds, signals = {} } = rule;
  const most = evidence?.most_in_one_window ?? 0;
  return (
    <>
      <p>
        <label class="meter">
          {`${most} of ${threshold} runs within ${Math.round(seconds / 60)} min `}
          <meter min={0} max={threshold} value={Math.min(most, threshold)} />
        </label>
      </p>
      <Facts
        facts={[
          ...Object.entries(signals).map(
            ([name, value]) => [name.replaceAll("_", " "), <Text code>{value}</Text>] as const,
          ),
          ["events held", String(evidence?.events ?? 0)] as const,
          ["this one among them", evidence?.includes_this_event ? "yes" : "no"] as const,
        ]}
      />
    </>
  );
}
