// Tabs as ARIA says: arrows go through them, one is in the order of Tab.
import type { KeyboardEvent, ReactNode } from "react";
import { Icon } from "./Icon";
import type { IconName } from "./Icon";

export interface Tab<T extends string> {
  readonly id: T;
  readonly label: string;
  readonly icon?: IconName;
  readonly count?: number | undefined;
}

interface Props<T extends string> {
  readonly name: string;
  readonly label: string;
  readonly tabs: readonly Tab<T>[];
  readonly chosen: T;
  readonly onChoose: (id: T) => void;
}

export function Tabs<T extends string>({ name, label, tabs, chosen, onChoose }: Props<T>): ReactNode {
  const step = (event: KeyboardEvent<HTMLElement>): void => {
    const way = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const next = tabs[(tabs.findIndex((tab) => tab.id === chosen) + way + tabs.length) % tabs.length];
    if (way === 0 || !next) return;
    event.preventDefault();
    onChoose(next.id);
    document.getElementById(`${name}-tab-${next.id}`)?.focus();
  };
  return (
    <div className="tabs" role="tablist" aria-label={label} onKeyDown={step}>
      {tabs.map((tab) => (
        <button key={tab.id} id={`${name}-tab-${tab.id}`} type="button" role="tab" aria-selected={tab.id === chosen}
          aria-controls={`${name}-panel`} tabIndex={tab.id === chosen ? 0 : -1} onClick={() => onChoose(tab.id)}>
          {tab.icon && <Icon name={tab.icon} />}<span>{tab.label}</span>
          {tab.count !== undefined && tab.count > 0 && <span className="count">{tab.count}</span>}
        </button>
      ))}
    </div>
  );
}

interface PanelProps {
  readonly name: string;
  readonly chosen: string;
  readonly children: ReactNode;
}

export const TabPanel = ({ name, chosen, children }: PanelProps): ReactNode => (
  <div id={`${name}-panel`} role="tabpanel" aria-labelledby={`${name}-tab-${chosen}`} className="panel">{children}</div>
);
