import { createHash } from "node:crypto";
import { cleanText } from "../../schema/plain-text.ts";
import type { SkillDraft } from "./entry.ts";

/** Of the open Agent Skills format (agentskills.io, specification). */
const maxName = 64;
const maxDescription = 1024;

export interface SkillFolder {
  /** Of the folder, and `name` in it: lower-case letters, digits and single hyphens, at most 64. */
  readonly name: string;
  /** What `SKILL.md` holds. */
  readonly text: string;
}

/** One folder for each; a name that two would share has a part of the entry's digest appended. */
export function skillFolders(
  skills: readonly { readonly entryId: string; readonly skill: SkillDraft }[],
): SkillFolder[] {
  const times = new Map<string, number>();
  const named = skills.map(({ entryId, skill }) => {
    const name = skillName(skill.id);
    times.set(name, (times.get(name) ?? 0) + 1);
    return { entryId, skill, name };
  });
  return named.map(({ entryId, skill, name }) => {
    const own = times.get(name) === 1 ? name : distinct(name, entryId);
    return { name: own, text: skillText(own, entryId, skill) };
  });
}

export function skillName(id: string): string {
  const plain = id.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return plain.slice(0, maxName).replaceAll(/^-|-$/g, "") || "skill";
}

function distinct(name: string, entryId: string): string {
  const digest = createHash("sha256").update(entryId).digest("hex").slice(0, 8);
  return `${name.slice(0, maxName - 9).replace(/-$/, "")}-${digest}`;
}

function skillText(name: string, entryId: string, skill: SkillDraft): string {
  const description = `${oneLine(skill.title)}. Use when: ${oneLine(skill.when)}`;
  const about = [
    ...(skill.agent_id === undefined ? [] : [`  agent_id: ${quoted(skill.agent_id)}`]),
    ...(skill.task_type === undefined ? [] : [`  task_type: ${quoted(skill.task_type)}`]),
  ];
  return [
    ...["---", `name: ${name}`, `description: ${quoted(cut(description, maxDescription))}`],
    ...["metadata:", `  entry_id: ${quoted(entryId)}`, ...about, "---", ""],
    ...[`# ${oneLine(skill.title)}`, "", "## When", "", cleanText(skill.when).trim(), ""],
    ...["## Do", "", cleanText(skill.do).trim(), "", "## Avoid", "", cleanText(skill.avoid).trim()],
    "",
  ].join("\n");
}

function oneLine(text: string): string {
  return cleanText(text).replaceAll(/\s+/g, " ").trim();
}

/** Never between the halves of a surrogate pair. */
function cut(text: string, length: number): string {
  return text.length <= length
    ? text
    : text
        .slice(0, length - 1)
        .toWellFormed()
        .replace(/\uFFFD$/, "");
}

/** A JSON string is a YAML string (YAML 1.2, section 1.3). */
function quoted(text: string): string {
  return JSON.stringify(cleanText(text));
}
