import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { eBenjaminiHochberg } from "../../../src/handlers/effects/e-bh.ts";
import {
  type ArmCounts,
  type EpochCounts,
  effectOf,
  noRuns,
} from "../../../src/handlers/effects/effect.ts";
import { checksOf } from "../../../src/handlers/effects/evaluate.ts";
import { nextEpoch } from "../../../src/handlers/effects/next-epoch.ts";
import { obsoleteAfter } from "../../../src/handlers/effects/obsolete.ts";
import { sentenceOf } from "../../../src/handlers/effects/sentences.ts";
import { type Judged, type Standing, standingsOf } from "../../../src/handlers/effects/standing.ts";
import { randomFrom } from "./fleet.ts";

const alpha = 0.05;
const sound = { coinBroken: false, lossBroken: false };

const arm = (counted: number, failed: number, more: Partial<ArmCounts> = {}): ArmCounts => ({
  ...{ ...noRuns, exposed: counted, counted, failed },
  ...more,
});
const epoch = (
  number: number,
  share: number,
  attached: ArmCounts,
  heldOut: ArmCounts,
): EpochCounts => ({ epoch: number, share, attached, heldOut });

const options = {
  ...{ alpha, outcome: "failure" as const, wokeWith: 0, share: 0.5, obsoleteAfter: null },
};
const proven = effectOf([epoch(1, 0.5, arm(402, 61), arm(398, 148))], options);

describe("e-Benjamini-Hochberg", () => {
  test("of one finding it asks for 1/alpha, of many for more", () => {
    const e = Math.log(25);
    expect(eBenjaminiHochberg([e], alpha)).toEqual(new Set([0]));
    expect(eBenjaminiHochberg([0, e, 0], alpha)).toEqual(new Set());
    expect(eBenjaminiHochberg([e, e, 0], alpha)).toEqual(new Set());
    expect(eBenjaminiHochberg([Math.log(31), Math.log(61), Math.log(31)], alpha).size).toBe(3);
  });

  test("is its definition: the most findings that all reach K / (alpha k)", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -2, max: 9, noNaN: true }), { maxLength: 12 }),
        (all) => {
          const sorted = [...all].sort((a, b) => b - a);
          const most = sorted.reduce(
            (k, logE, i) => (logE >= Math.log(all.length / (alpha * (i + 1))) ? i + 1 : k),
            0,
          );
          const found = eBenjaminiHochberg(all, alpha);
          expect(found.size).toBe(most);
          expect([...found].map((i) => all[i]).sort()).toEqual(sorted.slice(0, most).sort());
        },
      ),
    );
  });
});

const judged = (more: Partial<Judged> = {}): Judged => ({
  ...{ verdict: "helps", logE: 10, logESome: 0, coin: 0, loss: 0 },
  ...{ withoutTrial: false, given: "insufficient_data", ...more },
});

describe("what may be said of a lesson", () => {
  const only = (one: Judged, tenant = sound) => standingsOf([one], tenant, alpha)[0];
  const withheld = (why: string) => ({ verdict: "insufficient_data", withheld: why });

  test("is what its runs say, where the coin is sound and it holds among all", () => {
    expect(only(judged())).toEqual({ verdict: "helps", withheld: null });
    const nothing = judged({ verdict: "no_effect", logE: -2, logESome: 4 });
    expect(only(nothing)).toEqual({ verdict: "no_effect", withheld: null });
  });

  test.each([
    ["coin", judged({ coin: 3.1 }), sound],
    ["loss", judged({ loss: 3.1 }), sound],
    ["coin_of_tenant", judged(), { ...sound, coinBroken: true }],
    ["loss_of_tenant", judged(), { ...sound, lossBroken: true }],
    ["no_trial", judged({ withoutTrial: true }), { ...sound, coinBroken: true }],
  ])("is withheld with its reason: %s", (why, one, tenant) => {
    expect(only(one, tenant)).toEqual(withheld(why));
    // Also where it had been said before.
    expect(only({ ...one, given: "helps" }, tenant)).toEqual(withheld(why));
  });

  test("waits until it holds among all, and then stands until there is another", () => {
    const faint = judged({ logE: 3.2 });
    const many = [
      faint,
      ...Array.from({ length: 30 }, () => judged({ verdict: "insufficient_data", logE: 0 })),
    ];
    expect(standingsOf(many, sound, alpha)[0]).toEqual(withheld("among_many"));
    const given = [{ ...faint, given: "helps" as const }, ...many.slice(1)];
    expect(standingsOf(given, sound, alpha)[0]).toEqual({ verdict: "helps", withheld: null });
    const turned = judged({ verdict: "harms", given: "helps" });
    expect(only(turned)).toEqual({ verdict: "harms", withheld: null });
  });
});

describe("the epoch that follows", () => {
  const next = (
    state: "trial" | "proven" | "retired" | "dormant",
    standing: Partial<Standing>,
    more = {},
  ) => {
    const all: Standing = { verdict: "insufficient_data", withheld: null, ...standing };
    const effect = {
      verdict: all.verdict,
      sinceWaking: all.verdict,
      obsoleteAfter: null,
      high: 0.63,
    };
    return nextEpoch({ state }, { ...effect, ...more }, all, { provenShare: 0.9 });
  };

  test("what helps is given to more runs, with the least that it prevents", () => {
    expect(next("trial", { verdict: "helps" })).toMatchObject({ state: "proven", share: 0.9 });
    expect(next("trial", { verdict: "helps" })?.benefit).toBeCloseTo(0.37, 9);
    expect(next("proven", { verdict: "helps" })).toBeNull();
  });

  test("what does harm or nothing is retired", () => {
    for (const state of ["trial", "proven"] as const) {
      for (const verdict of ["harms", "no_effect"] as const) {
        expect(next(state, { verdict })).toMatchObject({ state: "retired", share: 0, verdict });
      }
    }
  });

  test("what is proven and needed no more sleeps; it is not called useless", () => {
    const asleep = next("proven", { verdict: "helps" }, { obsoleteAfter: 40 });
    expect(asleep).toMatchObject({ state: "dormant", share: 0, verdict: "helps" });
    expect(next("trial", {}, { obsoleteAfter: 40 })).toBeNull();
  });

  test("without a verdict, and once it is retired or asleep, nothing changes by itself", () => {
    expect(next("trial", {})).toBeNull();
    expect(next("retired", { verdict: "helps" })).toBeNull();
    expect(next("dormant", { verdict: "harms" })).toBeNull();
  });

  test("what was proven before it slept does not count again", () => {
    expect(next("trial", { verdict: "helps" }, { sinceWaking: "insufficient_data" })).toBeNull();
  });
});

describe("a lesson that nobody needs any more", () => {
  test("is told from runs without it that fail no more", () => {
    expect(obsoleteAfter("1101".repeat(20), 0.7)).toBeNull();
    const after = obsoleteAfter(`${"1101".repeat(20)}${"0".repeat(60)}`, 0.7) ?? 0;
    expect(after).toBeGreaterThan(80);
    expect(after).toBeLessThan(110);
    expect(obsoleteAfter("0".repeat(500), 0)).toBeNull();
  });

  test("is seldom mistaken: some thousand held-out runs pass before, when as many fail as before", () => {
    for (const rate of [0.05, 0.3, 0.6]) {
      let alarms = 0;
      for (let seed = 1; seed <= 100; seed++) {
        const random = randomFrom(seed);
        const runs = Array.from({ length: 500 }, () => (random() < rate ? "1" : "0")).join("");
        if (obsoleteAfter(runs, rate) !== null) alarms++;
      }
      // At most one in a thousand runs on average, so half of these at the very most.
      expect(alarms).toBeLessThan(5);
    }
  });
});

describe("the effect of a lesson", () => {
  test("is a function of its counts, in whatever order their epochs come", () => {
    const epochs = [
      epoch(1, 0.5, arm(200, 40), arm(200, 90)),
      epoch(2, 0.9, arm(900, 100), arm(100, 30)),
      epoch(2, 0.5, arm(3, 1), arm(2, 2)),
    ];
    expect(JSON.stringify(effectOf([...epochs].reverse(), options))).toBe(
      JSON.stringify(effectOf(epochs, options)),
    );
  });

  test("shows the newest epoch beside the whole, where the effect may have changed its sign", () => {
    const turned = effectOf(
      [
        epoch(1, 0.5, arm(402, 61), arm(398, 148)),
        epoch(2, 0.9, arm(900, 300), arm(100, 10)),
        epoch(3, 0, noRuns, noRuns),
      ],
      { ...options, wokeWith: 2 },
    );
    expect(turned.sinceLastEpoch).toMatchObject({ epoch: 2, verdict: "harms" });
    expect(turned.sinceWaking).toBe("harms");
    expect(proven.sinceLastEpoch).toBeNull();
    expect(proven.sinceWaking).toBe("helps");
  });

  test("of what a person has written is that of how runs end", () => {
    const ended = (ended: number, unsuccessful: number) => arm(500, 0, { ended, unsuccessful });
    const written = effectOf([epoch(1, 0.5, ended(200, 20), ended(200, 80))], {
      ...options,
      outcome: "run",
    });
    expect(written).toMatchObject({ verdict: "helps", run: { verdict: "helps" } });
  });

  test("without a trial says so, and has no verdict", () => {
    const all = effectOf([epoch(1, 1, arm(400, 60), noRuns)], options);
    expect(all).toMatchObject({ withoutTrial: true, verdict: "insufficient_data", logE: 0 });
  });
});

test("of single checks those count that hold among all lessons; the pool has a limit of its own", () => {
  const fine = { coin: 0.2, loss: 0 };
  const pool = (attached: number, heldOut: number) => [
    epoch(0, 0.5, { ...noRuns, exposed: attached }, { ...noRuns, exposed: heldOut }),
  ];
  const some = [{ coin: 3.2, loss: 0 }, ...Array.from({ length: 40 }, () => fine)];
  const [coin, loss] = checksOf(some, pool(2_000, 2_050), alpha);
  expect(coin).toMatchObject({ check: "coin", broken: false, lessons: 0 });
  expect(loss).toMatchObject({ check: "loss", broken: false, lessons: 0 });
  expect(checksOf([{ coin: 30, loss: 0 }, ...some], pool(2_000, 2_600), alpha)[0]).toMatchObject({
    ...{ check: "coin", broken: true, lessons: 1 },
  });
});

describe("in words", () => {
  const said: Standing = { verdict: "helps", withheld: null };
  const unknown: Standing = { verdict: "insufficient_data", withheld: null };

  test("a verdict has its ratio, its bounds and both arms", () => {
    expect(sentenceOf(proven, said)).toMatch(
      /^Runs with this lesson failed this way 0\.41 times as often \(0\.\d\d to 0\.\d\d\) — 61 of 402 against 148 of 398\.$/,
    );
  });

  test("what has none says how many more runs it takes", () => {
    const faint = effectOf([epoch(1, 0.5, arm(50, 8), arm(50, 14))], options);
    expect(sentenceOf(faint, unknown)).toMatch(
      /At this rate a verdict takes about \d+ more runs\.$/,
    );
    expect(sentenceOf(effectOf([], options), unknown)).toBe("No run has been counted yet.");
  });

  test("what is withheld says why", () => {
    const why = (withheld: Standing["withheld"]) => sentenceOf(proven, { ...unknown, withheld });
    expect(why("coin")).toContain("No verdict: more or fewer runs have this lesson than its share");
    expect(why("loss")).toContain("not lost alike");
    expect(why("among_many")).toContain("may still be chance");
    expect(why("no_trial")).toMatch(/^Whether it helps cannot be told: every run is given/);
  });
});
