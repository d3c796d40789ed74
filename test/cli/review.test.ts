import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openStack } from "../rig/service.ts";
import { ask } from "../rig/traffic.ts";
import { run } from "./command.ts";

async function started() {
  const stack = await openStack();
  await stack.start();
  const cli = (args: string) => run(args, { NATS_URL: stack.broker.url });
  const folder = await mkdtemp(join(tmpdir(), "review-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return { nc: stack.broker.nc, cli, folder };
}

const skill = { id: "Refunds", title: "Refunds", when: "asked", do: "look", avoid: "guess" };

test("an entry is advanced from files, merged, shown, exported as a skill and removed", async () => {
  const { nc, cli, folder } = await started();
  await ask(nc, "experience.review.create", { entry_id: "e1", feedback_id: "f1", summary: "slow" });
  const [caseFile, skillFile] = [join(folder, "case.json"), join(folder, "skill.json")];
  await writeFile(caseFile, '{"case_id":"c1","text":"why"}');
  await writeFile(skillFile, JSON.stringify(skill));
  expect((await cli("review ls")).out).toMatch(/e1 +feedback +default +- +slow/);
  expect((await cli(`review advance e1 case_draft --case ${caseFile}`)).out).toBe(
    "e1: case_draft\n",
  );
  await cli(`review advance e1 skill_draft --skill ${skillFile}`);
  const unsigned = await cli("review advance e1 reviewed");
  expect(unsigned).toMatchObject({ code: 2, complaints: expect.stringContaining("reviewer") });
  await cli("review advance e1 reviewed --reviewer Ada");
  expect((await cli("review advance e1 merged --reviewer Ada")).out).toMatch(
    /^e1: merged, lesson [0-9a-f]{12}\n$/,
  );
  const conflict = await cli("review advance e1 rejected --reviewer Ada");
  expect(conflict).toMatchObject({ code: 1, complaints: expect.stringContaining("it is final") });
  expect((await cli("review show e1")).out).toMatch(
    /case_id: c1[\s\S]*do: look[\s\S]*advanced +merged +Ada/,
  );
  for (const _ of [1, 2]) {
    const exported = await cli(`skills export ${join(folder, "skills")}`);
    expect(exported).toMatchObject({ code: 0, out: expect.stringMatching(/^1 skills written/) });
  }
  const text = await readFile(join(folder, "skills", "refunds", "SKILL.md"), "utf8");
  expect(text).toMatch(/^---\nname: refunds\ndescription: "Refunds\. Use when: asked"\n/);
  expect((await cli("review rm e1 --by Ada --reason old")).out).toBe("Removed.\n");
  expect((await cli("review show e1")).code).toBe(3);
}, 120_000);

test("a file that cannot be read, or written, is named", async () => {
  const { cli, folder } = await started();
  const file = join(folder, "case.json");
  await writeFile(file, "{secret");
  const bad = await cli(`review advance e1 case_draft --case ${file}`);
  expect(bad).toMatchObject({
    code: 2,
    complaints: expect.stringContaining(`${file}: it is not JSON`),
  });
  expect(bad.complaints).not.toContain("secret");
  expect((await cli("review advance e1 case_draft --case /none.json")).complaints).toContain(
    "/none.json",
  );
  expect((await cli("review advance e1 nowhere")).code).toBe(2);
}, 60_000);

test("memory is listed, shown, recalled, promoted and audited", async () => {
  const { nc, cli } = await started();
  const entry = { entry_id: "m1", scope: "project", project_key: "shop", tags: ["pay"] };
  await ask(nc, "experience.memory.save", { ...entry, insight: "orders first", confidence: 0.5 });
  expect((await cli("memory ls")).out).toMatch(
    /m1 +project +shop +provisional +0.5 +pay +orders first/,
  );
  expect((await cli("memory show m1")).out).toMatch(/tags +\["pay"\]/);
  expect((await cli("memory recall --tag pay x")).out).toMatch(/0\.25 +m1/);
  const scopes = "--from project --to world";
  expect((await cli(`memory promote m1 ${scopes} --trigger user_feedback`)).code).toBe(2);
  const promoted = await cli(
    `memory promote m1 ${scopes} --trigger reviewer_approval --reviewer Ada`,
  );
  expect(promoted.out).toBe("m1: world, level 1\n");
  expect((await cli("memory audit m1")).out).toMatch(
    /m1 +1 +project +world +reviewer_approval +Ada/,
  );
  expect(JSON.parse((await cli("memory ls --scope world --json")).out).entries).toHaveLength(1);
  expect((await cli("memory show m9")).code).toBe(3);
}, 90_000);
