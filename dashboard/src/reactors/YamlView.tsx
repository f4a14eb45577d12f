// A definition as it would be applied, with what is wrong beside the line.
import { useEffect, useState } from "react";
import type { ReactNode } from "react";
import type { JsonObject } from "../api/types";
import { Icon } from "../ui/Icon";
import { Empty, Spinner } from "../ui/states";
import type { SpecProblem } from "./problems";
import { renderYaml } from "./yaml";
import type { YamlLine } from "./yaml";

interface Props {
  readonly namespace: string;
  readonly name: string;
  readonly spec: JsonObject;
  readonly problems: readonly SpecProblem[];
}

export function YamlView({ namespace, name, spec, problems }: Props): ReactNode {
  const [lines, setLines] = useState<readonly YamlLine[]>();
  const [fault, setFault] = useState<string>();
  useEffect(() => {
    let wanted = true;
    const manifest = { apiVersion: "reactor.run/v1alpha1", kind: "Reactor", metadata: { name, namespace }, spec };
    renderYaml(manifest, problems).then((found) => wanted && setLines(found), (problem: unknown) => wanted && setFault(String(problem)));
    return () => {
      wanted = false;
    };
  }, [namespace, name, spec, problems]);
  if (fault !== undefined) return <Empty icon="warn" title="It cannot be shown as YAML"><p>{fault}</p></Empty>;
  if (!lines) return <Spinner label="Writing YAML" />;
  return (
    <pre className="yaml" tabIndex={0} aria-label="Manifest">
      {lines.map((line, index) => (
        <span key={index} className={line.problems.length > 0 ? "yaml-line bad" : "yaml-line"}>
          <span className="yaml-text">{line.text || " "}</span>
          {line.problems.map((words) => <span key={words} className="yaml-problem"><Icon name="warn" /> {words}</span>)}
        </span>
      ))}
    </pre>
  );
}
