/**
 * The Prometheus operator's resource with the rules of deploy/prometheus/rules.yaml. Without an argument it is written;
 * with --check it exits with 1 when the file is not what would be written.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parse, stringify } from "yaml";

const file = (path: string) => new URL(`../deploy/${path}`, import.meta.url);
const target = file("kubernetes/components/prometheus-rule/prometheus-rule.yaml");

const { groups } = parse(readFileSync(file("prometheus/rules.yaml"), "utf8"));
const resource = {
  apiVersion: "monitoring.coreos.com/v1",
  kind: "PrometheusRule",
  metadata: { name: "experience-bus", labels: { "app.kubernetes.io/name": "experience-bus" } },
  spec: { groups },
};
const text = `# Made from deploy/prometheus/rules.yaml by \`npm run deploy:rules\`.\n${stringify(resource, { lineWidth: 0, aliasDuplicateObjects: false })}`;
if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== text) {
    process.stderr.write(
      "the PrometheusRule is not deploy/prometheus/rules.yaml: npm run deploy:rules\n",
    );
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, text);
}
