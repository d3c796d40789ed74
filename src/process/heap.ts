import { setFlagsFromString } from "node:v8";

/** By how much the heap may outgrow what was alive at its last full collection, in percent. */
const growthPercent = 300;

/**
 * Has V8 collect the whole heap less often. It lets the heap of a process that was idle once grow by three tenths only: a replica
 * that answers recalls reaches that every two to four seconds. Each time the heap is marked for 40 to 70 ms, by threads that
 * take the cores from those that answer, so of a hundred recalls more than one was late. Near the heap's limit V8 collects as
 * often as ever.
 */
export function collectSeldom(): void {
  setFlagsFromString(`--heap-growing-percent=${growthPercent}`);
}
