import { describe, expect, test } from "vitest";
import {
  isBrokenForLesson,
  isBrokenForTenant,
  logEOfCoin,
} from "../../../src/handlers/effects/coin-check.ts";
import { verdictOf } from "../../../src/handlers/effects/verdict.ts";
import { coinKeyOf, coinOf, isAttached } from "../../../src/handlers/lessons/coin.ts";
import {
  armsOf,
  byHorizon,
  type Counting,
  failedBy,
  falseShare,
  horizon,
  type Random,
  type Run,
  randomFrom,
  runOf,
} from "./fleet.ts";

/**
 * What goes wrong when a step of the measurement is done otherwise: of lessons that do nothing, how many are called something
 * else. Each stands beside the same step as it is.
 */

const lessons = 60;
const same = (run: Run): Run => run;

/** Much more than the twentieth that is allowed. */
const many = 0.3;

test("as it is, hardly any lesson that does nothing is called something else", () => {
  expect(falseShare(100, same)).toBeLessThanOrEqual(0.05);
});

test("as it is with nine of ten runs attached, the same", () => {
  expect(falseShare(100, same, byHorizon, () => 0.9)).toBeLessThanOrEqual(0.05);
});

describe("what is counted, and when", () => {
  test("counting outcomes as they come makes the slower arm look better", () => {
    const asTheyCome: Counting = ({ failsAt }, now) =>
      failsAt !== null && failsAt <= now ? true : null;
    // Runs take as long as the horizon, and there is a look at a time at which many are still at it.
    expect(falseShare(lessons, slowly, asTheyCome)).toBeGreaterThan(many);
    expect(falseShare(lessons, slowly)).toBeLessThanOrEqual(0.05);
  });

  test("the clock instead of the watermark settles runs whose failures have not been read", () => {
    // The reader stands still for a while; by the clock the horizon passes, and what is settled stays so.
    const stuck = (at: number) => (at >= 100 && at < 400 ? 100 : at);
    const byClock: Counting = ({ at, failsAt }, now) => {
      const settledAt = at + horizon;
      if (settledAt > now) return null;
      return failsAt !== null && failsAt <= stuck(settledAt) + lagOf(settledAt);
    };
    // When it goes on, it is behind by half a horizon.
    const lagOf = (at: number) => (at >= 400 ? -horizon / 2 : 0);
    expect(falseShare(lessons, slowly, byClock)).toBeGreaterThan(many);
    const byWatermark: Counting = (run, now) => byHorizon(run, stuck(now));
    expect(falseShare(lessons, slowly, byWatermark)).toBeLessThanOrEqual(0.05);
  });

  test("outcomes of attached runs alone make every lesson look harmful", () => {
    const attachedOnly = (run: Run): Run => (run.attached ? run : { ...run, failsAt: null });
    expect(falseShare(lessons, attachedOnly)).toBe(1);
  });

  test("counts pooled over epochs of different shares show effects that are none", () => {
    const shareAt = (i: number) => (i < 100 ? 0.5 : 0.9);
    const pooled = (run: Run): Run => ({ ...run, share: 0.5 });
    expect(falseShare(lessons, pooled, byHorizon, shareAt)).toBeGreaterThan(0.9);
    expect(falseShare(lessons, same, byHorizon, shareAt)).toBeLessThanOrEqual(0.05);
  });
});

/** Attached ones need nearly the whole horizon, and all of them fail late. */
function slowly(run: Run): Run {
  const { at, attached, failsAt } = run;
  return failsAt === null ? run : { ...run, failsAt: at + horizon * (attached ? 0.9 : 0.05) };
}

describe("who is in which arm", () => {
  const runs = 400;
  const ids = Array.from({ length: runs }, (_, i) => `run-${i}`);
  /** Agents of one replica fail three times as often as those of the other. */
  const failing = (i: number, random: Random) => random() < (i % 2 === 0 ? 0.6 : 0.2);

  test("a coin that depends on the replica compares replicas, and its share may look right", () => {
    const verdictOfCoin = (attaches: (i: number) => boolean, random: Random) => {
      const failed = ids.map((_, i) => i).filter((i) => failing(i, random));
      const attached = failed.filter(attaches).length;
      return verdictOf([{ share: 0.5, attached, heldOut: failed.length - attached }], 0.05);
    };
    expect(verdictOfCoin((i) => i % 2 === 0, randomFrom(1))).toBe("harms");
    const falls = (key: string) => (i: number) =>
      isAttached(coinOf(coinKeyOf(key), "default", ids[i] ?? "", "lesson"), 0.5);
    // One key, whichever replica is asked: the same arm for the same run, and no verdict.
    expect(ids.map((_, i) => falls("k")(i))).toEqual(ids.map((_, i) => falls("k")(i)));
    expect(verdictOfCoin(falls("k"), randomFrom(1))).toBe("insufficient_data");
    // Of two replicas with keys of their own each run is found in both arms, now here, now there.
    const differing = ids.filter((_, i) => falls("k")(i) !== falls("another")(i)).length;
    expect(differing / runs).toBeGreaterThan(0.4);
  });

  test("caps that cut attached lessons alone compare crowded runs with others", () => {
    // Crowded runs fail more; what does not fit is not exposed, but only where the coin has attached it.
    const crowded = (run: Run, i: number, random: Random): Run | null => {
      const isCrowded = random() < 0.5;
      const failsAt = isCrowded ? run.at + 1 : random() < 0.1 ? run.at + 1 : null;
      if (isCrowded && run.attached && i % 2 === 0) return null;
      return { ...run, failsAt };
    };
    expect(falseShare(lessons, crowded)).toBeGreaterThan(many);
    const cutBefore = (run: Run, i: number, random: Random): Run | null => {
      const isCrowded = random() < 0.5;
      const failsAt = isCrowded ? run.at + 1 : random() < 0.1 ? run.at + 1 : null;
      return isCrowded && i % 2 === 0 ? null : { ...run, failsAt };
    };
    expect(falseShare(lessons, cutBefore)).toBeLessThanOrEqual(0.05);
    expect(isBrokenForTenant(logEOfCoin(exposuresOf(crowded, 4_000)))).toBe(true);
    expect(isBrokenForLesson(logEOfCoin(exposuresOf(cutBefore, 4_000)))).toBe(false);
  });

  test("exposures of one arm that are lost are found by the coin's check", () => {
    const losing = (share: number) => (run: Run, _: number, random: Random) =>
      run.attached && random() < share ? null : run;
    expect(falseShare(lessons, losing(0.4))).toBeGreaterThan(many);
    const lost = losing(0.2);
    expect(isBrokenForLesson(logEOfCoin(exposuresOf(lost, 1_500)))).toBe(true);
    expect(isBrokenForTenant(logEOfCoin(exposuresOf(lost, 4_000)))).toBe(true);
  });

  test("a share that changes within an epoch is found by the coin's check", () => {
    const world = { ratio: 1, random: randomFrom(3), base: 0.3 };
    const changed = Array.from({ length: 600 }, (_, i) => ({
      ...runOf(i, i < 300 ? 0.5 : 0.9, world),
      share: 0.5,
    }));
    expect(verdictOf(failedBy(changed, 1_000, byHorizon), 0.05)).toBe("harms");
    expect(isBrokenForTenant(logEOfCoin(armsOf(changed, () => true)))).toBe(true);
  });

  test("attached runs that vanish are found by the check of losses", () => {
    const losing = (share: number) => (run: Run, _: number, random: Random) =>
      run.attached && random() < share ? { ...run, failsAt: null, isLost: true } : run;
    expect(falseShare(lessons, losing(0.4))).toBeGreaterThan(many);
    const runsOfFleet = fleetOf(losing(0.2), 400);
    expect(isBrokenForTenant(logEOfCoin(armsOf(runsOfFleet, ({ isLost }) => isLost)))).toBe(true);
    // Those that are lost in both arms alike are no reason for alarm.
    const alike = fleetOf((run, _, random) => ({ ...run, isLost: random() < 0.2 }), 4_000);
    expect(isBrokenForLesson(logEOfCoin(armsOf(alike, ({ isLost }) => isLost)))).toBe(false);
  });
});

type Wrong = (run: Run, i: number, random: Random) => Run | null;

function fleetOf(wrong: Wrong, runs: number): Run[] {
  const world = { ratio: 1, random: randomFrom(11), base: 0.3 };
  const all = Array.from({ length: runs }, (_, i) => wrong(runOf(i, 0.5, world), i, world.random));
  return all.filter((run) => run !== null);
}

const exposuresOf = (wrong: Wrong, runs: number) => armsOf(fleetOf(wrong, runs), () => true);

test("a sound coin hardly ever looks broken, however often it is looked at", () => {
  let broken = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const world = { ratio: 1, random: randomFrom(seed), base: 0.3 };
    const runs = Array.from({ length: 600 }, (_, i) => runOf(i, 0.5, world));
    const looks = Array.from({ length: 30 }, (_, i) => runs.slice(0, (i + 1) * 20));
    if (looks.some((seen) => isBrokenForLesson(logEOfCoin(armsOf(seen, () => true))))) broken++;
  }
  expect(broken / 100).toBeLessThanOrEqual(0.05);
});
