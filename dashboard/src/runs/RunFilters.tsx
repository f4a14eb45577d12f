// What narrows the list of runs. All of it is in the address, so that a list can be sent to somebody.
import { useEffect, useState } from "react";
import type { ReactNode, SyntheticEvent } from "react";
import { useNavigation } from "../app/navigation";
import { Icon } from "../ui/Icon";
import { RUN_PHASES, runLook } from "../words/phases";
import { isFiltered } from "./filters";
import type { Filters } from "./filters";

const TYPING_MS = 250;

export function RunFilters({ filters }: { readonly filters: Filters }): ReactNode {
  const { setQuery } = useNavigation();
  const toggle = (phase: string): void => {
    const on = filters.phases.includes(phase);
    setQuery({ phase: on ? filters.phases.filter((one) => one !== phase) : [...filters.phases, phase] });
  };
  return (
    <form className="filters" role="search" aria-label="Runs" onSubmit={(event: SyntheticEvent) => event.preventDefault()}>
      <div className="fields">
        <TypedField name="text" label="Name or message" value={filters.text} wide />
        <TypedField name="reactor" label="Reactor" value={filters.reactor} />
        <DayField name="after" label="Created after" value={filters.createdAfter} />
        <DayField name="before" label="Created before" value={filters.createdBefore} />
      </div>
      <fieldset className="chips">
        <legend className="unseen">Phases</legend>
        {RUN_PHASES.map((phase) => (
          <button key={phase} type="button" className={`chip tone-${runLook(phase).tone}`} aria-pressed={filters.phases.includes(phase)} onClick={() => toggle(phase)}>
            <Icon name={runLook(phase).icon} />{runLook(phase).label}
          </button>
        ))}
        {isFiltered(filters) && (
          <button type="button" className="link" onClick={() => setQuery({ text: undefined, reactor: undefined, phase: undefined, after: undefined, before: undefined })}>
            Clear filters
          </button>
        )}
      </fieldset>
    </form>
  );
}

interface FieldProps {
  readonly name: string;
  readonly label: string;
  readonly value: string | undefined;
  readonly wide?: boolean;
}

/** A text that is put into the address once nobody types any more. */
function TypedField({ name, label, value, wide = false }: FieldProps): ReactNode {
  const { setQuery } = useNavigation();
  const [text, setText] = useState(value ?? "");
  const [said, setSaid] = useState(value);
  if (said !== value) {
    setSaid(value);
    setText(value ?? "");
  }
  useEffect(() => {
    if (text === (value ?? "")) return undefined;
    const timer = setTimeout(() => setQuery({ [name]: text || undefined }, { replace: true }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, value, name, setQuery]);
  return (
    <label className={wide ? "field wide" : "field"}>
      <span>{label}</span>
      <input type="search" value={text} maxLength={253} spellCheck={false} onChange={(event) => setText(event.target.value)} />
    </label>
  );
}

function DayField({ name, label, value }: FieldProps): ReactNode {
  const { setQuery } = useNavigation();
  const local = value ? localMinute(new Date(value)) : "";
  return (
    <label className="field">
      <span>{label}</span>
      <input type="datetime-local" value={local}
        onChange={(event) => setQuery({ [name]: event.target.value ? new Date(event.target.value).toISOString() : undefined }, { replace: true })} />
    </label>
  );
}

const localMinute = (date: Date): string =>
  new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
