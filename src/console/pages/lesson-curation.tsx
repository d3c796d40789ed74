import type { GetReply } from "../../handlers/lessons/wire.ts";
import type { Action, PageRequest } from "../page.ts";
import { Confirm, Field, Form, WhoAnswers } from "../parts/form.tsx";

/** What a person decides about a lesson: each with a form that asks who answers for it, and why. */

interface Offer {
  readonly action: string;
  readonly label: string;
  readonly means: string;
  /** Until when it may be said. */
  readonly untilLabel?: string;
  readonly isOffered: (lesson: GetReply) => boolean;
}

const isOut = ({ status }: GetReply) => status === "silenced" || status === "expired";

const offers: readonly Offer[] = [
  {
    ...{ action: "silence", label: "Silence", untilLabel: "Until (empty: for good)" },
    means: "From the next recall on, no agent is given this lesson.",
    isOffered: (lesson) => !isOut(lesson),
  },
  {
    ...{ action: "restore", label: "Restore" },
    means: "Agents are given this lesson again.",
    isOffered: isOut,
  },
  {
    ...{ action: "pin", label: "Pin", untilLabel: "Until (empty: for good)" },
    means: "This lesson comes first whenever it concerns what an agent is about to do.",
    isOffered: ({ pinned }) => !pinned,
  },
  {
    ...{ action: "unpin", label: "Unpin" },
    means: "This lesson takes its place among the others again.",
    isOffered: ({ pinned }) => pinned,
  },
  {
    ...{ action: "approve_text", label: "Approve the text" },
    means:
      "Agents are given the text as it stands above, words of events included. Read it as if it were an order to your agents: you answer for it.",
    isOffered: ({ approved_by }) => approved_by === null,
  },
  {
    ...{ action: "expire", label: "Let it expire", untilLabel: "When (empty: at once)" },
    means: "No agent is given this lesson after that, unless it is restored.",
    isOffered: ({ status }) => status !== "expired",
  },
  {
    ...{ action: "note", label: "Add a note" },
    means: "The note stands among the decisions and changes nothing.",
    isOffered: () => true,
  },
];

export const notices = Object.fromEntries(
  offers.map(({ action, label }) => [action, `Done: ${label.toLowerCase()}.`]),
);

export function Curation({ request, lesson }: { request: PageRequest; lesson: GetReply }) {
  if (!request.may("review")) return null;
  return (
    <section class="actions" aria-label="Decide">
      {offers
        .filter(({ isOffered }) => isOffered(lesson))
        .map((offer) => (
          <Confirm label={`${offer.label} …`} id={`decide-${offer.action}`}>
            <Form request={request} action="curate" fields={{ action: offer.action }}>
              <p>{offer.means}</p>
              <WhoAnswers request={request} name="by" />
              <Field label="Reason" name="reason" maxLength={2_000} required />
              {offer.untilLabel && (
                <Field
                  label={offer.untilLabel}
                  name="until"
                  hint="a date and time, like 2027-01-31T12:00Z"
                />
              )}
              <button type="submit" class="button primary">
                {offer.label}
              </button>
            </Form>
          </Confirm>
        ))}
    </section>
  );
}

export const curate: Action = async ({ form, params, ask }) => {
  const field = (name: string) => form.get(name)?.trim() ?? "";
  const until = field("until");
  await ask("lessons-curate", {
    ...{ lesson_key: params["key"], action: field("action"), by: field("by") },
    reason: field("reason"),
    ...(until !== "" && { until }),
  });
  return { notice: field("action") };
};
