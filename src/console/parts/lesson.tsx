import type { WireLesson } from "../../handlers/lessons/wire.ts";
import { Badge } from "./list.tsx";

const verdicts = {
  helps: { text: "helps", kind: "good" },
  harms: { text: "harms", kind: "bad" },
  no_effect: { text: "no effect", kind: "plain" },
  insufficient_data: { text: "not known yet", kind: "plain" },
} as const;

/** Whether a lesson has been seen to help. */
export function Verdict({ verdict }: { readonly verdict: WireLesson["verdict"] }) {
  const shown = verdicts[(verdict ?? "insufficient_data") as keyof typeof verdicts];
  return <Badge kind={shown.kind}>{shown.text}</Badge>;
}
