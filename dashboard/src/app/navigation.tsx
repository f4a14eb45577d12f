// Where the page is, by the address of the browser: links, back and forward work as everywhere.
import { createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { AnchorHTMLAttributes, MouseEvent, ReactNode } from "react";
import { changedQuery, parseRoute } from "./routes";
import type { Route } from "./routes";

interface Place {
  readonly path: string;
  readonly query: string;
}

interface Navigation {
  readonly path: string;
  readonly route: Route;
  readonly query: URLSearchParams;
  readonly go: (to: string, options?: { readonly replace?: boolean }) => void;
  readonly setQuery: (changes: Readonly<Record<string, string | readonly string[] | undefined>>, options?: { readonly replace?: boolean }) => void;
}

const NavigationContext = createContext<Navigation | undefined>(undefined);
const here = (): Place => ({ path: window.location.pathname, query: window.location.search });

export function NavigationProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const moved = (): void => setPlace(here());
    window.addEventListener("popstate", moved);
    return () => window.removeEventListener("popstate", moved);
  }, []);
  const go = useCallback((to: string, { replace = false } = {}) => {
    const before = window.location.pathname;
    if (replace) window.history.replaceState(null, "", to);
    else window.history.pushState(null, "", to);
    setPlace(here());
    if (window.location.pathname !== before) window.scrollTo(0, 0);
  }, []);
  const setQuery = useCallback<Navigation["setQuery"]>((changes, options) => {
    const query = changedQuery(new URLSearchParams(window.location.search), changes);
    go(window.location.pathname + query, options);
  }, [go]);
  const navigation = useMemo(
    () => ({ path: place.path, route: parseRoute(place.path), query: new URLSearchParams(place.query), go, setQuery }),
    [place, go, setQuery],
  );
  return <NavigationContext value={navigation}>{children}</NavigationContext>;
}

export function useNavigation(): Navigation {
  const navigation = useContext(NavigationContext);
  if (!navigation) throw new Error("useNavigation: found no NavigationProvider above, expected one in main");
  return navigation;
}

type LinkProps = AnchorHTMLAttributes<HTMLAnchorElement> & { readonly to: string };

/** A link inside the dashboard. */
export function Link({ to, children, onClick, ...rest }: LinkProps): ReactNode {
  const { go } = useNavigation();
  const follow = (event: MouseEvent<HTMLAnchorElement>): void => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    go(to);
  };
  return <a href={to} onClick={follow} {...rest}>{children}</a>;
}
