// A value as a tree that is read level by level: what is small is there at once, what is large comes by page.
import { useState } from "react";
import type { ReactNode } from "react";
import { get, objectPath } from "../api/client";
import type { ValueInfo, ValueItem, ValuePage } from "../api/detail";
import { useResource } from "../api/useResource";
import { Icon } from "../ui/Icon";
import { ProblemView, Spinner } from "../ui/states";
import { counted, renderBytes } from "../words/amounts";
import { JsonText } from "./JsonText";

const PAGE = 50;

interface Props {
  readonly namespace: string;
  readonly name: string;
  readonly of: "arguments" | "result" | "inputs" | "output";
  readonly path?: string;
  readonly info?: ValueInfo | undefined;
  readonly fallback?: unknown;
}

export function ValueBrowser({ info, fallback, ...where }: Props): ReactNode {
  if (info?.sensitive) return <p className="note"><Icon name="lock" /> Sensitive: {renderBytes(info.bytes)} that are encrypted in the store and shown to nobody.</p>;
  if (info && "value" in info) return <JsonText value={info.value} />;
  return <Level {...where} pointer="" fallback={fallback} />;
}

interface LevelProps extends Omit<Props, "info"> {
  readonly pointer: string;
}

function Level({ pointer, fallback, ...where }: LevelProps): ReactNode {
  const [cursor, setCursor] = useState<readonly (string | undefined)[]>([undefined]);
  const { namespace, name, of, path } = where;
  const here = cursor.at(-1);
  const address = `${objectPath("runs", namespace, name)}/value`;
  const page = useResource<ValuePage>(`${address} ${of} ${path ?? ""} ${pointer} ${here ?? ""}`, (signal) =>
    get(address, { path, of, pointer, cursor: here, limit: PAGE }, signal));
  if (!page.data) {
    if (!page.problem) return <Spinner label="Reading the value" />;
    if (page.problem.code === 404 && fallback !== undefined) return <JsonText value={fallback} />;
    return <ProblemView problem={page.problem} onRetry={page.reload} />;
  }
  const { type, bytes, length, items, text, next } = page.data;
  if ("value" in page.data && !items?.length) return <JsonText value={page.data.value} />;
  return (
    <div className="level">
      <p className="hint">{type}{length == null ? "" : `, ${counted(length, type === "string" ? "character" : "entry", type === "string" ? "characters" : "entries")}`}, {renderBytes(bytes)}</p>
      {text != null && <pre tabIndex={0}>{text}</pre>}
      <ul>{(items ?? []).map((item) => <Entry key={item.key} item={item} pointer={pointer} {...where} />)}</ul>
      {(next != null || cursor.length > 1) && (
        <div className="pager">
          <button type="button" className="button" disabled={cursor.length < 2} onClick={() => setCursor(cursor.slice(0, -1))}>Before</button>
          <span className="hint">page {cursor.length}</span>
          <button type="button" className="button" disabled={next == null} onClick={() => next != null && setCursor([...cursor, next])}>Next</button>
        </div>
      )}
    </div>
  );
}

interface EntryProps extends Omit<LevelProps, "fallback"> {
  readonly item: ValueItem;
}

function Entry({ item, pointer, ...where }: EntryProps): ReactNode {
  const [open, setOpen] = useState(false);
  const below = `${pointer}/${item.key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  if ("value" in item) return <li><span className="key">{item.key}</span><JsonText value={item.value} /></li>;
  return (
    <li>
      <button type="button" className="link key" aria-expanded={open} onClick={() => setOpen(!open)}><Icon name={open ? "close" : "open"} />{item.key}</button>
      <span className="hint"> {item.type}, {renderBytes(item.bytes)}</span>
      {open && <Level {...where} pointer={below} />}
    </li>
  );
}
