import { fieldOf } from "../../../schema/dialect.ts";
import type { UserEvent } from "../event.ts";
import { type Latest, latest } from "./latest.ts";
import type { Mapper } from "./mapper.ts";

const verdicts = ["positive", "negative", "dismissed", "other"] as const;
type Verdict = (typeof verdicts)[number];

export interface Feedback {
  readonly positive: number;
  readonly negative: number;
  readonly dismissed: number;
  /** Feedback whose verdict is none of these words. */
  readonly other: number;
  /** Share of the positive among positive, negative and dismissed, 0 to 1; null while there are none. */
  readonly rate: number | null;
  readonly last: Latest<{ readonly verdict: Verdict; readonly type: string }>;
}

/** What producers write. Case, spaces, `-` and `_` make no difference. */
const words: Readonly<Record<Exclude<Verdict, "other">, readonly string[]>> = {
  positive: [
    "positive",
    "like",
    "liked",
    "up",
    "thumbsup",
    "helpful",
    "accepted",
    "accept",
    "good",
  ],
  negative: [
    ...["negative", "dislike", "disliked", "down", "thumbsdown", "nothelpful", "unhelpful"],
    ...["rejected", "reject", "bad"],
  ],
  dismissed: ["dismissed", "dismiss", "ignored", "ignore", "skipped", "skip", "closed"],
};

const verdictOfWord: ReadonlyMap<string, Verdict> = new Map(
  (["positive", "negative", "dismissed"] as const).flatMap((verdict) =>
    words[verdict].map((word) => [word, verdict] as const),
  ),
);

/** Fields of the payload that may hold the verdict; the first that is there counts. */
const fields = [
  ...["feedback", "user_signal", "signal", "sentiment", "rating", "verdict", "kind", "action"],
  ...["helpful", "value"],
] as const;

/** `signals.tip.feedback` and `feedback.>`: what users make of what they are given. */
export const feedback: Mapper<Feedback> = {
  feature: "feedback",
  subjects: ["signals.tip.feedback", "feedback.>"],
  apply(part, event) {
    const verdict = verdictOf(event);
    const counts = Object.fromEntries(
      verdicts.map((one) => [one, (part?.[one] ?? 0) + (one === verdict ? 1 : 0)]),
    ) as Record<Verdict, number>;
    const judged = counts.positive + counts.negative + counts.dismissed;
    return {
      ...counts,
      rate: judged === 0 ? null : counts.positive / judged,
      last: latest(part?.last, event, { verdict, type: event.type }),
    };
  },
};

/** Of the payload's field; where it has none, the subject's last token. */
export function verdictOf({ payload, subject }: UserEvent): Verdict {
  const field = fields.find((name) => fieldOf(payload, name) !== undefined);
  if (field === undefined) return verdictFrom(subject.slice(subject.lastIndexOf(".") + 1));
  const value = fieldOf(payload, field);
  const rated = field === "rating" ? ratingOf(value, scaleOf(payload)) : null;
  return rated === null ? verdictFrom(value) : verdictOfRating(rated);
}

/** Fields that may say of how many a rating is. */
const scales = ["scale", "max_rating", "max", "out_of"] as const;

function scaleOf(payload: UserEvent["payload"]): number | null {
  const found = scales.map((name) => Number(fieldOf(payload, name))).find((scale) => scale > 1);
  return found ?? null;
}

interface Rating {
  readonly value: number;
  readonly scale: number;
}

/** `4`, `"4"`, `"4/5"`: from 1 to a scale, of 5, 10 or 100 where none is named. Null: signed, or in words. */
function ratingOf(value: unknown, scale: number | null): Rating | null {
  if (typeof value !== "number" && typeof value !== "string") return null;
  const [, text, of] = ratingForm.exec(String(value)) ?? [];
  const rating = Number(text);
  const most = Number(of ?? scale ?? [5, 10, 100].find((usual) => rating <= usual));
  return rating >= 1 && rating <= most && most > 1 ? { value: rating, scale: most } : null;
}

const ratingForm = /^\s*(\d+(?:\.\d+)?)\s*(?:\/\s*(\d+))?\s*$/;

/** The middle fifth is neither. */
function verdictOfRating({ value, scale }: Rating): Verdict {
  const share = (value - 1) / (scale - 1);
  if (share > 0.6) return "positive";
  return share < 0.4 ? "negative" : "other";
}

/** Booleans and signed numbers say it without words. */
function verdictFrom(value: unknown): Verdict {
  if (typeof value === "boolean") return value ? "positive" : "negative";
  if (typeof value === "number" && value !== 0) return value > 0 ? "positive" : "negative";
  if (typeof value !== "string") return "other";
  return verdictOfWord.get(value.toLowerCase().replaceAll(/[\s_-]/g, "")) ?? "other";
}
