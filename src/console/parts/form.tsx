import type { Child } from "hono/jsx";
import type { PageRequest } from "../page.ts";

/** A form that does one of the page's `actions`; it proves by a token that it is of this session. */
export function Form(options: {
  readonly request: Pick<PageRequest, "formToken">;
  readonly action: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly children?: Child;
}) {
  const { request, action, fields = {}, children } = options;
  return (
    <form method="post" class="form">
      <input type="hidden" name="form_token" value={request.formToken} />
      <input type="hidden" name="do" value={action} />
      {Object.entries(fields).map(([name, value]) => (
        <input type="hidden" name={name} value={value} />
      ))}
      {children}
    </form>
  );
}

/** What opens a form that asks once more, and for reasons, before something is done. */
export function Confirm(options: {
  readonly label: string;
  readonly id: string;
  readonly children: Child;
}) {
  return (
    <details class="confirm" id={options.id}>
      <summary class="button">{options.label}</summary>
      {options.children}
    </details>
  );
}

export function Field(options: {
  readonly label: string;
  readonly name: string;
  readonly value?: string | null | undefined;
  readonly type?: "text" | "search" | "password" | "datetime-local" | "number";
  readonly required?: boolean;
  readonly hint?: string;
  readonly maxLength?: number;
  readonly autocomplete?: string;
}) {
  const { label, name, value, type = "text", hint, required, maxLength, autocomplete } = options;
  return (
    <label class="field">
      <span>{label}</span>
      <input
        {...{ name, type, required }}
        value={value ?? ""}
        autocomplete={autocomplete ?? "off"}
        {...(maxLength !== undefined && { maxlength: maxLength })}
      />
      {hint && <small>{hint}</small>}
    </label>
  );
}

/** Whose name a decision is on record under. */
export function WhoAnswers(options: {
  readonly request: Pick<PageRequest, "signedInAs">;
  readonly name: "by" | "reviewer";
}) {
  const { request, name } = options;
  const rest = { name, value: request.signedInAs, maxLength: 128, required: true };
  return <Field label="Who answers for it" {...rest} />;
}

export function Choice(options: {
  readonly label: string;
  readonly name: string;
  readonly value: string | null;
  /** Value → what is shown. */
  readonly choices: Readonly<Record<string, string>>;
}) {
  const { label, name, value, choices } = options;
  return (
    <label class="field">
      <span>{label}</span>
      <select name={name}>
        {Object.entries(choices).map(([one, shown]) => (
          <option value={one} selected={one === (value ?? "")}>
            {shown}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Filters of a list: in the address, so that what is seen can be passed on. */
export function Filters(options: {
  readonly request: Pick<PageRequest, "href" | "query">;
  readonly children: Child;
}) {
  const { query } = options.request;
  const kept = ["tenant", "range", "order"].filter((name) => query.has(name));
  return (
    <search>
      <form method="get" class="filters">
        {kept.map((name) => (
          <input type="hidden" name={name} value={query.get(name) ?? ""} />
        ))}
        {options.children}
        <button type="submit" class="button">
          Apply
        </button>
      </form>
    </search>
  );
}
