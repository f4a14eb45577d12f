// One field of a form, with what is wrong with it right below.
import { useId } from "react";
import type { ReactNode } from "react";
import { Icon } from "../ui/Icon";
import { memberPath } from "./problems";
import type { Problems } from "./problems";
import { firstValue } from "./schema";
import type { Described, Field } from "./schema";
import { JsonField } from "./JsonField";

export interface FieldProps {
  readonly label: string;
  readonly path: string;
  readonly described: Described;
  readonly value: unknown;
  readonly required: boolean;
  readonly problems: Problems;
  readonly onChange: (value: unknown) => void;
}

export function FieldView(props: FieldProps): ReactNode {
  const { described, path, problems } = props;
  const id = useId();
  const wrong = problems.get(path) ?? [];
  const label = described.title ?? props.label;
  const around = { id, label, wrong, described, required: props.required };
  switch (described.field.kind) {
    case "object": return <Group {...around}><Members {...props} members={described.field.members} /></Group>;
    case "list": return <Group {...around}><Items {...props} item={described.field.item} most={described.field.most} /></Group>;
    case "boolean": return <Group {...around}><Choice id={id} value={props.value} options={[true, false]} labels={["Yes", "No"]} required={props.required} wrong={wrong} onChange={props.onChange} /></Group>;
    case "choice":
      if (described.field.options.length <= 4) return <Group {...around}><Choice id={id} value={props.value} {...described.field} required={props.required} wrong={wrong} onChange={props.onChange} /></Group>;
      return <Line {...around}><Select id={id} {...props} field={described.field} wrong={wrong} /></Line>;
    case "json": return <Line {...around}><JsonField id={id} value={props.value} onChange={props.onChange} described={`${id}-wrong ${id}-hint`} invalid={wrong.length > 0} /></Line>;
    default: return <Line {...around}><Input id={id} {...props} field={described.field} wrong={wrong} /></Line>;
  }
}

interface AroundProps {
  readonly id: string;
  readonly label: string;
  readonly wrong: readonly string[];
  readonly described: Described;
  readonly required: boolean;
  readonly children: ReactNode;
}

const Line = ({ id, label, required, described, wrong, children }: AroundProps): ReactNode => (
  <div className="form-line">
    <label htmlFor={id}>{label}<Needed required={required} /></label>
    <Hint id={id} described={described} />
    {children}
    <Wrong id={id} wrong={wrong} />
  </div>
);

const Group = ({ id, label, required, described, wrong, children }: AroundProps): ReactNode => (
  <fieldset className="form-group" aria-describedby={`${id}-wrong`}>
    <legend>{label}<Needed required={required} /></legend>
    <Hint id={id} described={described} />
    {children}
    <Wrong id={id} wrong={wrong} />
  </fieldset>
);

const Needed = ({ required }: { readonly required: boolean }): ReactNode => (required ? null : <span className="hint"> (optional)</span>);
const Hint = ({ id, described }: Pick<AroundProps, "id" | "described">): ReactNode => (described.description ? <p id={`${id}-hint`} className="hint">{described.description}</p> : null);
const Wrong = ({ id, wrong }: Pick<AroundProps, "id" | "wrong">): ReactNode => (
  <div id={`${id}-wrong`} className="field-error">{wrong.map((words) => <p key={words}>{words}</p>)}</div>
);

interface ControlProps {
  readonly id: string;
  readonly wrong: readonly string[];
}

type InputField = Extract<Field, { kind: "text" | "number" }>;
const TYPES: Readonly<Record<string, string>> = { date: "date", email: "email", uri: "url", time: "time" };

function Input({ id, value, required, field, wrong, onChange }: FieldProps & ControlProps & { readonly field: InputField }): ReactNode {
  const common = { id, required, "aria-invalid": wrong.length > 0, "aria-describedby": `${id}-wrong ${id}-hint` };
  if (field.kind === "number") {
    const text = typeof value === "number" || typeof value === "string" ? String(value) : "";
    return <input {...common} type="text" inputMode={field.whole ? "numeric" : "decimal"} value={text} onChange={(event) => onChange(asNumber(event.target.value))} />;
  }
  const text = typeof value === "string" ? value : "";
  const change = (said: string): void => onChange(said === "" ? undefined : said);
  if (field.lines) return <textarea {...common} rows={4} value={text} onChange={(event) => change(event.target.value)} />;
  return <input {...common} type={TYPES[field.format ?? ""] ?? "text"} value={text} onChange={(event) => change(event.target.value)} />;
}

/** Return the number that was typed; what is none stays text, and the check says so. */
function asNumber(text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  const number = Number(trimmed);
  return Number.isFinite(number) && String(number) === trimmed ? number : trimmed;
}

type ChoiceField = Extract<Field, { kind: "choice" }>;

function Select({ id, value, required, field, wrong, onChange }: FieldProps & ControlProps & { readonly field: ChoiceField }): ReactNode {
  const place = field.options.findIndex((option) => JSON.stringify(option) === JSON.stringify(value));
  return (
    <select id={id} required={required} value={place < 0 ? "" : String(place)} aria-invalid={wrong.length > 0} aria-describedby={`${id}-wrong ${id}-hint`}
      onChange={(event) => onChange(event.target.value === "" ? undefined : field.options[Number(event.target.value)])}>
      <option value="">…</option>
      {field.labels.map((label, index) => <option key={label} value={index}>{label}</option>)}
    </select>
  );
}

interface ChoiceProps extends ControlProps, Pick<ChoiceField, "options" | "labels"> {
  readonly value: unknown;
  readonly required: boolean;
  readonly onChange: (value: unknown) => void;
}

const Choice = ({ id, value, options, labels, wrong, onChange }: ChoiceProps): ReactNode => (
  <div className="choices">
    {options.map((option, index) => (
      <label key={labels[index]} className="choice">
        <input type="radio" name={id} checked={JSON.stringify(option) === JSON.stringify(value)} aria-invalid={wrong.length > 0} aria-describedby={`${id}-wrong`} onChange={() => onChange(option)} />
        {labels[index]}
      </label>
    ))}
  </div>
);

function Members({ path, value, problems, members, onChange }: FieldProps & { readonly members: Extract<Field, { kind: "object" }>["members"] }): ReactNode {
  const said = typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  return members.map((member) => (
    <FieldView key={member.name} label={member.name} path={memberPath(path, member.name)} described={member} required={member.required}
      value={said[member.name]} problems={problems} onChange={(changed) => onChange({ ...said, [member.name]: changed })} />
  ));
}

function Items({ path, value, problems, item, most, onChange }: FieldProps & { readonly item: Described; readonly most: number | undefined }): ReactNode {
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  return (
    <>
      {items.map((one, index) => (
        <div key={index} className="form-item">
          <FieldView label={`${index + 1}.`} path={memberPath(path, index)} described={item} required value={one} problems={problems} onChange={(changed) => onChange(items.with(index, changed))} />
          <button type="button" className="icon-button" aria-label={`Take ${index + 1}. away`} onClick={() => onChange(items.toSpliced(index, 1))}><Icon name="bad" /></button>
        </div>
      ))}
      <button type="button" className="button" disabled={most !== undefined && items.length >= most} onClick={() => onChange([...items, firstValue(item)])}><Icon name="open" />Add</button>
    </>
  );
}
