// A small value as indented JSON, as text, to be copied.
import { useState } from "react";
import type { ReactNode } from "react";

export function JsonText({ value }: { readonly value: unknown }): ReactNode {
  const [copied, setCopied] = useState(false);
  const text = JSON.stringify(value, null, 2);
  const short = text.length < 80 && !text.includes("\n");
  if (short) return <code className="json">{text}</code>;
  const copy = (): void => {
    void navigator.clipboard.writeText(text).then(() => setCopied(true), () => setCopied(false));
  };
  return (
    <div className="json-block">
      <button type="button" className="link copy" onClick={copy}>{copied ? "Copied" : "Copy"}</button>
      <pre className="json" tabIndex={0}>{text}</pre>
    </div>
  );
}
