// The frame around every view: where to go, whether what is shown is fresh, whose eyes these are.
import { useCallback, useEffect } from "react";
import type { ReactNode } from "react";
import { get } from "../api/client";
import { LiveProvider, useChanges, useStreamState } from "../api/live";
import type { InboxPage as Inbox } from "../api/types";
import { useResource } from "../api/useResource";
import { InboxPage } from "../inbox/InboxPage";
import { ReactorPage } from "../reactors/ReactorPage";
import { ReactorsPage } from "../reactors/ReactorsPage";
import { RunPage } from "../run/RunPage";
import { RunsPage } from "../runs/RunsPage";
import { useNow } from "../ui/clock";
import { Icon } from "../ui/Icon";
import type { IconName } from "../ui/Icon";
import { Logo } from "../ui/Logo";
import { Empty } from "../ui/states";
import { Link, useNavigation } from "./navigation";
import { pathOf } from "./routes";
import type { Route } from "./routes";
import { useSession } from "./session";
import { THEMES, useTheme } from "./theme";
import type { Theme } from "./theme";

export function App(): ReactNode {
  const { query } = useNavigation();
  const { unauthorized, again } = useSession();
  return (
    <LiveProvider namespace={query.get("namespace") ?? undefined} onUnauthorized={unauthorized} onLive={again}>
      <a className="skip-to" href="#content">Skip to the content</a>
      <Bar />
      <Connection />
      <div id="content" tabIndex={-1}><View /></div>
    </LiveProvider>
  );
}

function View(): ReactNode {
  const { route } = useNavigation();
  useEffect(() => {
    document.title = `${titleOf(route)} · Reactor`;
  }, [route]);
  switch (route.view) {
    case "runs": return <RunsPage />;
    case "run": return <RunPage key={`${route.namespace}/${route.name}`} namespace={route.namespace} name={route.name} />;
    case "inbox": return <InboxPage />;
    case "reactors": return <ReactorsPage />;
    case "reactor": return <ReactorPage key={`${route.namespace}/${route.name}`} namespace={route.namespace} name={route.name} />;
    case "nowhere": return <main className="page"><Empty icon="search" title="There is no such page"><p><Link to={pathOf({ view: "runs" })}>All runs</Link></p></Empty></main>;
  }
}

function titleOf(route: Route): string {
  switch (route.view) {
    case "run": case "reactor": return route.name;
    case "inbox": return "Inbox";
    case "reactors": return "Definitions";
    case "runs": return "Runs";
    case "nowhere": return "Not found";
  }
}

function Bar(): ReactNode {
  const { route } = useNavigation();
  const waiting = useWaiting();
  const places: readonly { to: Route; label: string; icon: IconName; here: boolean; count?: string }[] = [
    { to: { view: "runs" }, label: "Runs", icon: "list", here: route.view === "runs" || route.view === "run" },
    { to: { view: "inbox" }, label: "Inbox", icon: "inbox", here: route.view === "inbox", ...(waiting && { count: waiting }) },
    { to: { view: "reactors" }, label: "Definitions", icon: "reactor", here: route.view === "reactors" || route.view === "reactor" },
  ];
  return (
    <header className="bar">
      <Link to={pathOf({ view: "runs" })} className="brand"><Logo /><span>Reactor</span></Link>
      <nav aria-label="Views">
        {places.map(({ to, label, icon, here, count }) => (
          <Link key={label} to={pathOf(to)} aria-current={here ? "page" : undefined}>
            <Icon name={icon} /><span>{label}</span>{count && <span className="count" title={`${count} waiting for a signal`}>{count}</span>}
          </Link>
        ))}
      </nav>
      <div className="bar-end"><Fresh /><Namespace /><ThemeSwitch /><Who /></div>
    </header>
  );
}

const MOST_COUNTED = 100;

/** How many interrupts wait, as far as one page shows them. */
function useWaiting(): string | undefined {
  const inbox = useResource<Inbox>("how many wait", (signal) => get("/inbox", { limit: MOST_COUNTED }, signal));
  const count = inbox.data?.items.length ?? 0;
  useChanges((change) => {
    if (change.kind !== "put" || change.run.waiting > 0 || count > 0) inbox.reload();
  });
  return count === 0 ? undefined : `${count}${inbox.data?.next === undefined ? "" : "+"}`;
}

function Fresh(): ReactNode {
  const state = useStreamState();
  const words = { connecting: "Connecting", live: "Live", down: "Not live" }[state.kind];
  return <span className={`fresh ${state.kind}`} role="status"><span className="dot" aria-hidden="true" /><span>{words}</span></span>;
}

function Connection(): ReactNode {
  const state = useStreamState();
  const now = useNow();
  if (state.kind !== "down") return null;
  const left = Math.max(0, Math.ceil((state.retryAt - now) / 1000));
  return (
    <p className="banner" role="alert">
      <Icon name="warn" /> Disconnected: {state.why} What you see may be old.{" "}
      {Number.isFinite(state.retryAt) ? <span aria-hidden="true">Trying again {left > 0 ? `in ${left} s` : "now"} …</span> : "It is asked for every few seconds."}
    </p>
  );
}

function Namespace(): ReactNode {
  const { session } = useSession();
  const { query, setQuery } = useNavigation();
  const named = session.namespaces ?? [];
  if (named.length < 2) return named[0] ? <span className="hint namespace">{named[0]}</span> : null;
  return (
    <select aria-label="Namespace" value={query.get("namespace") ?? ""} onChange={(event) => setQuery({ namespace: event.target.value || undefined })}>
      <option value="">All namespaces</option>
      {named.map((name) => <option key={name}>{name}</option>)}
    </select>
  );
}

const THEME_LOOK: Readonly<Record<Theme, readonly [IconName, string]>> = {
  system: ["auto", "as the system"], light: ["sun", "light"], dark: ["moon", "dark"],
};

function ThemeSwitch(): ReactNode {
  const [theme, choose] = useTheme();
  const [icon, words] = THEME_LOOK[theme];
  const next = useCallback(() => choose(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system"), [theme, choose]);
  return <button type="button" className="icon-button" onClick={next} aria-label={`Colours: ${words}. Change`} title={`Colours: ${words}`}><Icon name={icon} /></button>;
}

function Who(): ReactNode {
  const { session, leave } = useSession();
  return (
    <span className="who">
      <Icon name="person" /><span>{session.user}</span>
      {leave && <button type="button" className="link" onClick={leave}>Sign out</button>}
    </span>
  );
}
