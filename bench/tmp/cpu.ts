import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mixed, storm } from "../events.ts";
import { ackRate, fillStream, startRig, stopContender } from "../rig.ts";

const rig = await startRig(console.error);
const cpu = (pid: number) => {
  const f = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return Number(f[11]) * 10000;
};
try {
  const N = 200000;
  const M = await fillStream(rig, "MIXED", mixed(N, 50, Date.now()));
  const S = await fillStream(rig, "STORM", storm(N, 50, Date.now()));
  const variants = (process.argv[2] ?? "consume512,b,b64,c").split(",");
  for (let r = 0; r < Number(process.argv[3] ?? 2); r++)
    for (const v of variants) {
      const durable = `x-${v}-${r}`;
      const F = v.startsWith("c") && !v.startsWith("consume") ? S : M;
      const args =
        v.startsWith("consume") || v === "fetch"
          ? ["--import", "tsx", "bench/tmp/v.ts"]
          : [
              ...(v.endsWith("64") ? ["--max-semi-space-size=64"] : []),
              ...(process.env.XARGS ? process.env.XARGS.split(" ") : []),
              "dist/main.js",
            ];
      const child = spawn(process.execPath, args, {
        env: {
          PATH: process.env.PATH,
          NODE_ENV: "production",
          LOG_LEVEL: "error",
          V: v,
          STREAM: F.stream,
          DURABLE: durable,
          NATS_URL: rig.natsUrl,
          LEARNER_DATABASE_URL: rig.databaseUrl,
          EXPERIENCE_STREAM_NAME: F.stream,
          EXPERIENCE_SUBJECT: F.subject,
          EXPERIENCE_DURABLE: durable,
          HTTP_PORT: "0",
        },
        stdio: "inherit",
      });
      let c0 = 0;
      const iv = setInterval(async () => {}, 1000);
      // wait for the first ack then take cpu
      let info: any;
      for (;;) {
        try {
          info = await rig.jsm.consumers.info(F.stream, durable);
          if (info.ack_floor.stream_seq > 0) break;
        } catch {}
        await new Promise((r) => setTimeout(r, 2));
      }
      const a0 = info.ack_floor.stream_seq;
      c0 = cpu(child.pid!);
      const rate = await ackRate(rig, F.stream, durable, F.count);
      const c1 = cpu(child.pid!);
      clearInterval(iv);
      await stopContender(child as any);
      await rig.jsm.consumers.delete(F.stream, durable);
      console.log(
        v.padEnd(12),
        String(Math.round(rate)).padStart(8),
        "/s",
        ((c1 - c0) / (F.count - a0)).toFixed(2),
        "cpu us/event",
      );
    }
} finally {
  await rig.stop();
}
