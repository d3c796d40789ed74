import { readdirSync, readFileSync } from "node:fs";

/** Of the kernel's clock for processes, on every Linux that Node.js runs on. */
const ticksPerSecond = 100;

/** CPU seconds of all processes of that name that this one has started, itself or through others; Linux only. */
export function cpuSecondsOf(name: string): number {
  const all = readdirSync("/proc").flatMap((pid) => (/^\d+$/.test(pid) ? (statOf(pid) ?? []) : []));
  const parents = new Map(all.map(({ pid, parent }) => [pid, parent]));
  const isOurs = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent === process.pid || (parent !== undefined && parent > 1 && isOurs(parent));
  };
  const ours = all.filter((one) => one.name === name && isOurs(one.pid));
  return ours.reduce((sum, { ticks }) => sum + ticks, 0) / ticksPerSecond;
}

/** CPU seconds of one process so far, NaN where it has ended; Linux only. */
export function cpuSecondsOfProcess(pid: number | undefined): number {
  return (statOf(String(pid))?.ticks ?? Number.NaN) / ticksPerSecond;
}

/** proc_pid_stat(5); null: it has ended meanwhile. */
function statOf(pid: string) {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null;
  }
  const name = text.slice(text.indexOf("(") + 1, text.lastIndexOf(")"));
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const at = (field: number) => Number(fields[field - 3]);
  // User and system time, and those of children that have ended.
  return { pid: Number(pid), name, parent: at(4), ticks: at(14) + at(15) + at(16) + at(17) };
}
