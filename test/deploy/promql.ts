import type { SyntaxNode } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";

/** A metric in an expression, with the labels that its selector compares. */
export interface Selected {
  readonly metric: string;
  readonly matched: readonly string[];
}

export interface Expression {
  readonly selected: readonly Selected[];
  /** Labels of `by`, `on`, `group_left` and the like. */
  readonly grouped: readonly string[];
}

/** What an expression of PromQL asks for; Grafana's intervals count as durations. Throws where it is no PromQL. */
export function readExpression(text: string): Expression {
  const promql = text.replaceAll("$__rate_interval", "5m");
  const selected: Selected[] = [];
  const grouped: string[] = [];
  const textOf = (node: SyntaxNode | null) => (node ? promql.slice(node.from, node.to) : "");
  parser.parse(promql).iterate({
    enter({ type, node }) {
      if (type.isError) throw new Error(`no PromQL at ${node.from}: ${text}`);
      if (type.name === "VectorSelector") {
        const matchers = node.getChild("LabelMatchers")?.getChildren("UnquotedLabelMatcher") ?? [];
        const matched = matchers.map((matcher) => textOf(matcher.getChild("LabelName")));
        selected.push({ metric: textOf(node.getChild("Identifier")), matched });
      }
      if (type.name === "GroupingLabels")
        grouped.push(...node.getChildren("LabelName").map(textOf));
    },
  });
  return { selected, grouped };
}
