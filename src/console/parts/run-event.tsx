import type { storedEventSchema } from "../../handlers/runs/wire.ts";
import type { Static } from "../../schema/typebox.ts";
import { Text } from "./text.tsx";
import { Time } from "./time.tsx";

export type RunEvent = Static<typeof storedEventSchema>;

const summaryLength = 240;
/** An event may have 256 KiB, and a page many events. */
const mostLength = 8_000;

/** One event of a run: its data in a line, and whole on demand. */
export function RunEventRow({ event, now }: { readonly event: RunEvent; readonly now: number }) {
  const { cursor, type, data, ts } = event;
  const line = JSON.stringify(data);
  const isLong = line.length > summaryLength;
  const whole = isLong ? cut(line.length > mostLength ? line : JSON.stringify(data, null, 2)) : "";
  return (
    <li id={`event-${cursor}`} class="event">
      <span class="number quiet">{`#${cursor}`}</span>
      <Time at={ts} now={now} />
      <span class="strong">
        <Text fit="lines">{type}</Text>
      </span>
      {isLong ? (
        <details>
          <summary>
            <Text code fit="lines">{`${line.slice(0, summaryLength)}…`}</Text>
          </summary>
          <pre class="block" tabindex={0}>
            <Text code>{whole}</Text>
          </pre>
        </details>
      ) : (
        <Text code>{line === "{}" ? "" : line}</Text>
      )}
    </li>
  );
}

function cut(text: string): string {
  if (text.length <= mostLength) return text;
  return `${text.slice(0, mostLength)}…\n\n${text.length - mostLength} characters more: see runs-events`;
}
