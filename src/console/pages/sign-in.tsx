import { Document } from "../layout.tsx";
import { Field } from "../parts/form.tsx";

export function signInPage({ next, problem }: { next: string; problem: string | null }) {
  return (
    <Document title="Sign in">
      <main id="content" class="alone">
        <h1>Sign in</h1>
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <form method="post" action="/sign-in" class="form">
          <input type="hidden" name="form_token" value="" />
          <input type="hidden" name="next" value={next} />
          <Field
            label="Token"
            name="token"
            type="password"
            autocomplete="current-password"
            required
          />
          <button type="submit" class="button primary">
            Sign in
          </button>
        </form>
        <p class="quiet">
          A token that may read, as <code>experience-bus tokens new --may read</code> makes it. The
          session lasts twelve hours and ends with the token.
        </p>
      </main>
    </Document>
  );
}
