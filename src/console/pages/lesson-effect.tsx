import type { WireEffect } from "../../handlers/effects/wire.ts";
import type { GetReply } from "../../handlers/lessons/wire.ts";
import { IntervalPlot, intervalText } from "../charts/interval.tsx";
import { Facts, Table } from "../parts/list.tsx";
import { Text } from "../parts/text.tsx";

type Arm = WireEffect["attached"];
type Bounds = Pick<WireEffect, "ratio" | "low" | "high">;

/** Whether it helps: runs that were given the lesson against those that were not. */
export function LessonEffect(options: {
  readonly lesson: GetReply;
  readonly effect: WireEffect | null;
}) {
  const { lesson, effect } = options;
  return (
    <section aria-labelledby="effect">
      <h2 id="effect">Does it help?</h2>
      {effect === null ? (
        <p class="quiet">
          {lesson.share === null
            ? "It has not been handed out."
            : `A coin hands it to ${Math.round(lesson.share * 100)} % of runs; what came of it has not been counted yet.`}
        </p>
      ) : (
        <Effect effect={effect} />
      )}
    </section>
  );
}

function Effect({ effect }: { readonly effect: WireEffect }) {
  const { attached, held_out: heldOut, since_last_epoch: late, runs_needed: needed } = effect;
  return (
    <>
      <p>
        <Text>{effect.sentence}</Text>
      </p>
      <IntervalPlot
        intervals={[
          { label: "Failures with it, against without", ...boundsOf(effect) },
          ...(late ? [{ label: "Since its share last changed", ...boundsOf(late) }] : []),
        ]}
      />
      <Table
        caption="Both arms"
        head={[
          { title: "Runs" },
          { title: "On record", kind: "number wide" },
          { title: "Counted", kind: "number" },
          { title: "Failed so", kind: "number" },
        ]}
      >
        <ArmRow name="that were given it" arm={attached} />
        <ArmRow name="that were not" arm={heldOut} />
      </Table>
      <Facts
        facts={[
          ["Ratio, and what is not excluded", intervalText(boundsOf(effect))],
          ["Runs still needed", needed === null ? "not to be foreseen" : String(needed)],
        ]}
      />
    </>
  );
}

const boundsOf = ({ ratio, low, high }: Bounds) => ({ ratio, low, high });

function ArmRow({ name, arm }: { readonly name: string; readonly arm: Arm }) {
  const share = arm.runs === 0 ? "" : ` (${Math.round((arm.failed / arm.runs) * 100)} %)`;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td class="number wide">{arm.exposed}</td>
      <td class="number">{arm.runs}</td>
      <td class="number">{`${arm.failed}${share}`}</td>
    </tr>
  );
}
