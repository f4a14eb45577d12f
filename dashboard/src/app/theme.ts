// Light or dark: as the system says, unless somebody chose.
import { useCallback, useEffect, useState } from "react";

export type Theme = "system" | "light" | "dark";
const KEPT = "reactor.theme";
export const THEMES: readonly Theme[] = ["system", "light", "dark"];

const kept = (): Theme => THEMES.find((theme) => theme === localStorage.getItem(KEPT)) ?? "system";

/** Put the theme on the page. */
export function applyTheme(theme: Theme = kept()): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

export function useTheme(): readonly [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState(kept);
  useEffect(() => applyTheme(theme), [theme]);
  const choose = useCallback((next: Theme) => {
    localStorage.setItem(KEPT, next);
    setTheme(next);
  }, []);
  return [theme, choose];
}
