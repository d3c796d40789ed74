import { join } from "node:path";
import { expect } from "vitest";
import { lockFolder } from "../../src/embedded/folder-lock.ts";
import { test as base } from "./fixture.ts";

const test = process.platform === "linux" ? base : base.skip;

test("of many that want a folder at once exactly one gets it", async ({ folder, cleanup }) => {
  const wanted = join(folder, "new");
  const attempts = await Promise.allSettled(Array.from({ length: 20 }, () => lockFolder(wanted)));
  for (const attempt of attempts) {
    if (attempt.status === "fulfilled") cleanup(attempt.value.release);
  }
  const refused = attempts.filter((attempt) => attempt.status === "rejected");
  expect(refused).toHaveLength(19);
  expect(refused[0]?.reason).toMatchObject({
    code: "conflict",
    message: `${wanted} is in use: another process runs its servers there`,
  });
});

test("a released folder can be had again, also by another path to it", async ({
  folder,
  cleanup,
}) => {
  const first = await lockFolder(folder);
  await expect(lockFolder(`${folder}/../${folder.split("/").at(-1)}`)).rejects.toThrow("in use");
  await first.release();
  const second = await lockFolder(folder);
  cleanup(second.release);
});
