import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { skillFolders, skillName } from "../../../src/handlers/review/skill-folder.ts";

const skill = { id: "Refund first!", title: "Refunds", when: "asked", do: "look", avoid: "guess" };

const frontOf = (text: string) => parse(text.split("---\n")[1] ?? "");

test("a skill is a folder with SKILL.md: name and description in front, then when, do and avoid", () => {
  const [folder] = skillFolders([{ entryId: "e1", skill: { ...skill, agent_id: "pay" } }]);
  expect(folder?.name).toBe("refund-first");
  expect(frontOf(folder?.text ?? "")).toEqual({
    name: "refund-first",
    description: "Refunds. Use when: asked",
    metadata: { entry_id: "e1", agent_id: "pay" },
  });
  expect(folder?.text).toMatch(
    /# Refunds\n\n## When\n\nasked\n\n## Do\n\nlook\n\n## Avoid\n\nguess\n$/,
  );
});

test("two skills of one name are two folders", () => {
  const folders = skillFolders(["e1", "e2"].map((entryId) => ({ entryId, skill })));
  expect(new Set(folders.map(({ name }) => name)).size).toBe(2);
});

test("whatever the text, names and descriptions are what the format allows, and nothing breaks out", () => {
  const text = fc.string({ unit: "binary", maxLength: 1_500 });
  fc.assert(
    fc.property(fc.record({ id: text, title: text, when: text, do: text, avoid: text }), (any) => {
      expect(skillName(any.id)).toMatch(/^(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*$/);
      const [folder] = skillFolders([{ entryId: "e", skill: any }]);
      const lines = (folder?.text ?? "").split("\n");
      const front = parse(lines.slice(1, lines.indexOf("---", 1)).join("\n"));
      expect(Object.keys(front)).toEqual(["name", "description", "metadata"]);
      expect(front.description.length).toBeLessThanOrEqual(1024);
    }),
  );
});
