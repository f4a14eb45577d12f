// Asks for a token of the cluster, where the gateway knows none.
import { useEffect, useRef, useState } from "react";
import type { ReactNode, SyntheticEvent } from "react";
import { Logo } from "../ui/Logo";

interface Props {
  readonly why: string | undefined;
  readonly onToken: (token: string) => void;
}

export function Login({ why, onToken }: Props): ReactNode {
  const [text, setText] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), [why]);
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    const said = text.trim().replace(/^Bearer\s+/i, "");
    if (said) onToken(said);
  };
  return (
    <main className="alone">
      <form className="card login" onSubmit={submit}>
        <h1><Logo /> Sign in</h1>
        <p>The gateway shows runs to whom the cluster knows. Paste a token of yours or of a ServiceAccount.</p>
        <label htmlFor="token">Token</label>
        <input id="token" ref={field} type="password" autoComplete="off" spellCheck={false} value={text}
          onChange={(event) => setText(event.target.value)} aria-describedby="token-hint token-why" aria-invalid={why !== undefined} />
        <p id="token-hint" className="hint"><code>kubectl create token NAME --duration=1h</code> makes one. It stays in this tab.</p>
        <p id="token-why" className="field-error" role="alert">{why}</p>
        <button type="submit" className="button primary" disabled={text.trim() === ""}>Sign in</button>
      </form>
    </main>
  );
}
