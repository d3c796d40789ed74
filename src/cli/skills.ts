import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { BusError, messageOf } from "../errors.ts";
import { skillFolders } from "../handlers/review/skill-folder.ts";
import { asking } from "./ask.ts";
import { examples, printJson } from "./print.ts";
import { listEntries } from "./review.ts";

/** `skills export`: merged reviews as folders that agents load. */
export function addSkillCommands(program: Command): void {
  const skills = program
    .command("skills")
    .description("skills: what reviews were merged into")
    .addHelpText("after", examples("skills export ./skills"));

  skills
    .command("export <folder>")
    .description("writes each merged review as <folder>/<name>/SKILL.md (Agent Skills format)")
    .option("--tenant <id>", "of this tenant")
    .addHelpText(
      "after",
      examples("skills export ./skills", "skills export ./skills --tenant acme"),
    )
    .action((folder: string, { tenant }: { tenant?: string }, command: Command) =>
      asking(command, async (asker, { json }) => {
        const filter = { stage: "merged", ...(tenant && { tenant_id: tenant }) };
        const { items: entries } = await listEntries(asker, filter, Number.POSITIVE_INFINITY);
        const skills = entries.flatMap(({ entry_id: entryId, skill_draft: skill }) =>
          skill === null ? [] : [{ entryId, skill }],
        );
        const folders = skillFolders(skills);
        for (const { name, text } of folders) await writeSkill(join(folder, name), text);
        if (json) printJson({ skills: folders.map(({ name }) => name) });
        else console.log(`${folders.length} skills written to ${folder}.`);
      }),
    );
}

/** Over what an earlier export has written. */
async function writeSkill(folder: string, text: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "SKILL.md"), text);
  } catch (error) {
    throw new BusError("internal", `cannot write ${folder}: ${messageOf(error)}`, { cause: error });
  }
}
