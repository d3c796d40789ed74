import Schema from "typebox/schema";
import { expect, test } from "vitest";
import { openStack } from "../rig/service.ts";
import { ask, failure, failures } from "../rig/traffic.ts";

interface Mounted {
  readonly name: string;
  readonly subject: string;
  readonly metadata: Record<"request_schema" | "reply_schema", string>;
}

const requests: Record<string, unknown> = {
  extractor: [failure(), {}],
  "extractor-explain": failure(),
  health: "",
  "health-instance": "",
  stats: "",
};

test("every reply has the shape that its endpoint's metadata names", async () => {
  const stack = await openStack();
  await stack.start();
  const { nc } = stack.broker;
  await ask(nc, "experience.extractor", failures(3));
  const { endpoints } = (await ask(nc, "$SRV.INFO.experience-bus")).body;
  expect(endpoints.map(({ name }: Mounted) => name).sort()).toEqual(Object.keys(requests).sort());
  for (const { name, subject, metadata } of endpoints as Mounted[]) {
    const { body, error } = await ask(nc, subject, requests[name]);
    expect(error, name).toBe("");
    expect(Schema.Errors(JSON.parse(metadata.reply_schema), body), name).toEqual([true, []]);
  }
});

test("the extractor's request schema takes one event or many, and nothing else", async () => {
  const stack = await openStack();
  await stack.start();
  const { endpoints } = (await ask(stack.broker.nc, "$SRV.INFO.experience-bus")).body;
  const extractor = endpoints.find(({ name }: Mounted) => name === "extractor");
  const schema = Schema.Compile(JSON.parse(extractor.metadata.request_schema));
  expect(schema.Check(failure())).toBe(true);
  expect(schema.Check(failures(2))).toBe(true);
  expect(schema.Check([{ result: {} }])).toBe(false);
  expect(schema.Check(failures(1_001))).toBe(false);
  expect(schema.Check("text")).toBe(false);
});
