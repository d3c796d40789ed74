/**
 * Draws docs/effect.svg with the code that judges lessons: how the ratios that are not excluded narrow down as runs are counted, for a
 * lesson that halves failures and for one that does nothing. `tsx scripts/effect-figure.ts` writes it.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Counts, intervalOf } from "../src/handlers/effects/e-value.ts";
import { verdictOf } from "../src/handlers/effects/verdict.ts";

export const figurePath = fileURLToPath(new URL("../docs/effect.svg", import.meta.url));

const alpha = 0.05;
const runs = 600;
const step = 10;
const plot = { left: 70, top: 46, width: 330, height: 230, apart: 410 } as const;
const ratios = [0.125, 0.25, 0.5, 1, 2, 4, 8] as const;

/** The same numbers each time. */
function coins(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Point {
  readonly runs: number;
  readonly ratio: number | null;
  readonly low: number;
  readonly high: number | null;
  readonly verdict: string;
}

/** Four of ten runs fail without the lesson; each is given it by an even coin. */
function course(ratio: number, seed: number): Point[] {
  const random = coins(seed);
  const counts = { share: 0.5, attached: 0, heldOut: 0 };
  const points: Point[] = [];
  for (let run = 1; run <= runs; run++) {
    const isAttached = random() < 0.5;
    if (random() < 0.4 * (isAttached ? ratio : 1)) counts[isAttached ? "attached" : "heldOut"]++;
    if (run % step !== 0) continue;
    const all: Counts[] = [{ ...counts }];
    points.push({ runs: run, ...intervalOf(all, alpha), verdict: verdictOf(all, alpha) });
  }
  return points;
}

const x = (count: number) => plot.left + (plot.width * count) / runs;
/** From an eighth to eight, each doubling as high as the other. */
const y = (ratio: number) => {
  const clamped = Math.min(8, Math.max(1 / 8, ratio));
  return plot.top + (plot.height * (3 - Math.log2(clamped))) / 6;
};
const at = (count: number, ratio: number) => `${x(count).toFixed(1)},${y(ratio).toFixed(1)}`;

function panel(title: string, points: readonly Point[], offset: number): string[] {
  const upper = points.map((point) => at(point.runs, point.high ?? 8));
  const lower = points.map((point) => at(point.runs, point.low)).reverse();
  const middle = points.map((point) => at(point.runs, point.ratio ?? 1));
  const known = points.find(({ verdict }) => verdict !== "insufficient_data");
  const bottom = plot.top + plot.height;
  return [
    `<g transform="translate(${offset} 0)">`,
    `<text x="${plot.left}" y="${plot.top - 16}" class="title">${title}</text>`,
    ...ratios.flatMap((ratio) => [
      `<line x1="${plot.left}" x2="${plot.left + plot.width}" y1="${y(ratio).toFixed(1)}" y2="${y(ratio).toFixed(1)}" class="${ratio === 1 ? "one" : "grid"}"/>`,
      `<text x="${plot.left - 8}" y="${(y(ratio) + 4).toFixed(1)}" class="end">${ratio < 1 ? `1/${1 / ratio}` : `${ratio}`}</text>`,
    ]),
    ...[0, 200, 400, 600].map(
      (count) => `<text x="${x(count).toFixed(1)}" y="${bottom + 18}" class="mid">${count}</text>`,
    ),
    `<polygon points="${[...upper, ...lower].join(" ")}" class="range"/>`,
    `<polyline points="${middle.join(" ")}" class="ratio"/>`,
    ...(known === undefined
      ? []
      : [
          `<line x1="${x(known.runs).toFixed(1)}" x2="${x(known.runs).toFixed(1)}" y1="${plot.top}" y2="${bottom}" class="known"/>`,
          `<text x="${(x(known.runs) + 6).toFixed(1)}" y="${plot.top + 14}" class="said">${known.verdict}, after ${known.runs} runs</text>`,
        ]),
    "</g>",
  ];
}

export function effectFigure(): string {
  const width = 2 * plot.apart + 20;
  const height = plot.top + plot.height + 70;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title about">`,
    '<title id="title">How certainty about a lesson grows with the runs that are counted</title>',
    '<desc id="about">Left, a lesson that halves failures: the range of ratios that are not excluded narrows down and leaves 1 behind. Right, one that does nothing: it narrows down around 1.</desc>',
    "<style>text{font:13px system-ui,sans-serif;fill:#333}.title{font-weight:600}.end{text-anchor:end}.mid{text-anchor:middle}.grid{stroke:#ddd}.one{stroke:#777}.range{fill:#4c78a8;opacity:.25}.ratio{fill:none;stroke:#4c78a8;stroke-width:2}.known{stroke:#2a7a3b;stroke-dasharray:4 3}.said{fill:#2a7a3b}</style>",
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...panel("A lesson that halves failures", course(0.5, 5), 0),
    ...panel("A lesson that does nothing", course(1, 8), plot.apart),
    `<text x="${width / 2}" y="${height - 30}" class="mid">Across: runs counted. Upwards: how many times as often runs with the lesson fail.</text>`,
    `<text x="${width / 2}" y="${height - 10}" class="mid">Without the lesson four of ten runs fail; every other run is given it. Shaded: the ratios that are not excluded.</text>`,
    "</svg>",
  ].join("\n")}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(figurePath, effectFigure());
  console.log(`${figurePath} is written`);
}
