import { spawn } from "node:child_process";
import { mixed, storm } from "../events.ts";
import { ackRate, fillStream, startRig, stopContender } from "../rig.ts";

const rig = await startRig(console.error);
try {
  const N = 300000;
  const { subject, count } = await fillStream(
    rig,
    "MIXED",
    (process.argv[2] === "c" ? storm : mixed)(N, 50, Date.now()),
  );
  const durable = `x-prof`;
  const child = spawn(
    process.execPath,
    ["--cpu-prof", "--cpu-prof-dir=/tmp/prof", "--cpu-prof-interval=200", "dist/main.js"],
    {
      env: {
        PATH: process.env.PATH,
        NODE_ENV: "production",
        LOG_LEVEL: "error",
        NATS_URL: rig.natsUrl,
        LEARNER_DATABASE_URL: rig.databaseUrl,
        EXPERIENCE_STREAM_NAME: "MIXED",
        EXPERIENCE_SUBJECT: subject,
        EXPERIENCE_DURABLE: durable,
        HTTP_PORT: "0",
      },
      stdio: "inherit",
    },
  );
  const rate = await ackRate(rig, "MIXED", durable, count);
  await stopContender(child);
  console.log(Math.round(rate));
} finally {
  await rig.stop();
}
