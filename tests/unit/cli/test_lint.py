"""`reactor lint` tells every problem with file and line, offline, and says by its exit code whether there was one."""

from pathlib import Path

import pytest

from tests.unit.cli.conftest import EXAMPLES, REACTOR, RUN, Reactor, Write


def lines(out: str) -> list[str]:
    return out.splitlines()[:-1]


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("[0-9]*")), ids=lambda path: path.name)
def test_the_examples_have_no_problem_at_all(reactor: Reactor, example: Path) -> None:
    answer = reactor("lint", "--strict", example)
    assert (answer.code, lines(answer.out)) == (0, [])
    assert answer.out.startswith(("1 reactor and ", "2 reactors and ", "1 reactor, 1 pool and "))


def test_a_pruned_field_would_be_a_saga_without_rollback_so_it_is_told(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR + "    undoo: {python: {handler: 'm:f'}}\n"})
    answer = reactor("lint", folder)
    assert answer.code == 2
    (line,) = lines(answer.out)
    assert line.startswith(f"{folder}/reactor.yaml:13: spec.steps[0].undoo: unknown field")
    assert "undo" in line


def test_all_problems_are_told_and_not_the_first(reactor: Reactor, write: Write) -> None:
    folder = write(
        {
            "reactor.yaml": REACTOR
            + "  - name: two\n    waitFor: [three]\n    run: {python: {handler: nocolon}}\n"
            + "  - name: two\n    when: 'inputs.('\n    run: {python: {handler: 'm:f'}}\n",
            "run.yaml": RUN.replace("Ada", "5"),
        }
    )
    answer = reactor("lint", folder)
    places = [(line.split(": ")[0].rpartition("/")[2], line.split(": ")[1]) for line in lines(answer.out)]
    assert ("reactor.yaml:14", "spec.steps[1].waitFor[0]") in places or (
        "reactor.yaml:15",
        "spec.steps[1].run.python.handler",
    ) in places
    assert ("reactor.yaml:16", "spec.steps[2].name") in places
    assert ("reactor.yaml:17", "spec.steps[2].when") in places
    assert answer.out.splitlines()[-1].startswith("1 reactor and 1 run: ")
    assert answer.code == 2


def test_inputs_are_checked_against_the_schema_of_the_reactor(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR, "run.yaml": RUN.replace("{who: Ada}", "{who: 7, extra: 1}")})
    answer = reactor("lint", folder)
    assert [line.split(": ")[1] for line in lines(answer.out)] == ["spec.inputs.extra", "spec.inputs.who"]
    assert all(f"{folder}/run.yaml:6: " in line for line in lines(answer.out))


def test_a_run_of_an_unknown_reactor_is_told_with_the_nearest_name(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR, "run.yaml": RUN.replace("{name: greet}", "{name: greeet}")})
    answer = reactor("lint", folder)
    assert lines(answer.out) == [
        f"{folder}/run.yaml:5: spec.reactorRef.name: no Reactor 'greeet' among the manifests, did you mean 'greet'?"
    ]


def test_a_run_alone_is_checked_against_the_reactor_beside_it(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR, "run.yaml": RUN.replace("Ada", "5")})
    answer = reactor("lint", folder / "run.yaml")
    assert [line.split(": ")[1] for line in lines(answer.out)] == ["spec.inputs.who"]
    assert answer.out.endswith("0 reactors and 1 run: 1 error, 0 warnings\n")


def test_a_handler_that_is_not_beside_the_manifest_is_a_warning(reactor: Reactor, write: Write) -> None:
    handlers = "".join(
        f"  - name: s{number}\n    run: {{python: {{handler: '{handler}'}}}}\n"
        for number, handler in enumerate(
            ["gone:f", "shop.stock:take", "shop.stock:missing", "dotted.one:go", "broken:f"]
        )
    )
    folder = write(
        {
            "reactor.yaml": REACTOR + handlers,
            "shop/stock.py": "def take(): ...\nGONE = 1\n",
            "dotted.one.py": "from x import go\n",
            "broken.py": "def f(:\n",
        }
    )
    answer = reactor("lint", folder)
    assert answer.code == 0
    assert [line.partition("warning: ")[2] for line in lines(answer.out)] == [
        "spec.steps[1].run.python.handler: handler 'gone:f' not found: no gone.py beside the manifest",
        "spec.steps[3].run.python.handler: handler 'shop.stock:missing' not found: "
        f"{folder}/shop/stock.py defines no 'missing'; it defines GONE, take",
        f"spec.steps[5].run.python.handler: handler 'broken:f' not found: {folder}/broken.py:1: invalid syntax",
    ]
    assert reactor("lint", "--strict", folder).code == 2


def test_another_kind_is_told_with_the_one_that_was_meant(reactor: Reactor, write: Write) -> None:
    written = REACTOR.replace("kind: Reactor", "kind: Reacter")
    found = lines(reactor("lint", write({"reactor.yaml": written})).out)
    assert found[0].endswith(
        "kind: found 'Reacter', expected Reactor, ReactorRun, ReactorPool or ReactorSignal: did you mean Reactor?"
    )


def test_a_handler_of_a_finally_step_is_looked_for(reactor: Reactor, write: Write) -> None:
    final = "  finally:\n  - name: tell\n    timeout: 1m\n    run: {python: {handler: 'gone:f'}}\n"
    (found,) = lines(reactor("lint", write({"reactor.yaml": REACTOR + final})).out)
    assert "spec.finally[0].run.python.handler: handler 'gone:f' not found" in found


def test_a_handler_of_an_image_is_not_looked_for(reactor: Reactor, write: Write) -> None:
    step = "  - name: two\n    image: shop:1\n    run: {python: {handler: 'm:f'}}\n"
    assert lines(reactor("lint", write({"reactor.yaml": REACTOR + step})).out) == []


def test_undo_without_compensate_is_a_warning(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR + "    undo: {python: {source: 'def main(): ...'}}\n"})
    (line,) = lines(reactor("lint", folder).out)
    assert line.startswith(f"{folder}/reactor.yaml:10: warning: spec.steps[0]: undo without compensate")


def test_a_schema_from_a_config_map_among_the_manifests_is_used(reactor: Reactor, write: Write) -> None:
    spec = (
        REACTOR.partition("  inputsSchema:")[0] + "  inputsSchemaFrom: {configMapKeyRef: {name: schemas, key: who}}\n"
    )
    config = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: schemas}\ndata:\n"
        "  who: |\n    type: object\n    required: [who]\n"
    )
    files = {
        "reactor.yaml": spec + "  steps:" + REACTOR.partition("  steps:")[2],
        "run.yaml": RUN.replace("{who: Ada}", "{}"),
    }
    answer = reactor("lint", write(files))
    assert "warning: spec.inputsSchemaFrom.configMapKeyRef: no ConfigMap 'schemas'" in answer.out
    answer = reactor("lint", write({"config.yaml": config}))
    assert [line.split(": ")[1] for line in lines(answer.out)] == ["spec.inputs.who"]


def test_objects_of_others_and_files_that_are_no_objects_do_not_matter(reactor: Reactor, write: Write) -> None:
    folder = write(
        {
            "all.yaml": f"{REACTOR}---\n{RUN}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: x}}\n",
            "kustomization.yaml": "resources: [all.yaml]\n",
            "inputs.json": '{"who": "Ada"}',
            "README.md": "# hello",
        }
    )
    assert reactor("lint", "--strict", folder).out == "1 reactor and 1 run: 0 errors, 0 warnings\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Reactor\n", "1: `apiVersion` is missing"),
        ("apiVersion: reactor.run/v1\nkind: Reactor\nmetadata: {name: x}\n", "1: apiVersion: found 'reactor.run/v1'"),
        ("apiVersion: reactor.run/v1alpha1\nkind: Reactr\nmetadata: {name: x}\n", "2: kind: found 'Reactr'"),
        ("apiVersion: reactor.run/v1alpha1\nkind: Reactor\nspec: {}\n", "1: metadata: `metadata.name` is missing"),
        ("- a\n- b\n", "1: found no object"),
        ("", "1: the file is empty"),
        ("a: [\n", "2: not readable as YAML"),
        ("spec: {on: {}}\n", "1: key `on` is the boolean true"),
    ],
)
def test_a_file_that_is_no_manifest_is_one_clear_line(reactor: Reactor, write: Write, text: str, said: str) -> None:
    file = write({"x.yaml": text}) / "x.yaml"
    answer = reactor("lint", file)
    assert answer.code == 2
    assert answer.out.startswith(f"{file}:{said}"), answer.out


def test_a_file_that_cannot_be_read_hides_no_other(reactor: Reactor, write: Write) -> None:
    folder = write({"a.yaml": "a: [\n", "b.yaml": REACTOR + "    undoo: {}\n", "c.yaml": "spec: {on: 1}\n"})
    answer = reactor("lint", folder)
    assert [line.split(":")[0].rpartition("/")[2] for line in lines(answer.out)] == ["a.yaml", "b.yaml", "c.yaml"]
    assert reactor("run", folder).code == 2


def test_two_objects_of_one_name_are_told(reactor: Reactor, write: Write) -> None:
    folder = write({"a.yaml": REACTOR, "b.yaml": "\n" + REACTOR})
    answer = reactor("lint", folder)
    assert lines(answer.out) == [
        f"{folder}/b.yaml:4: metadata.name: a second Reactor 'greet', the first is in {folder}/a.yaml:1; "
        "names are unique"
    ]


def test_lists_are_read_item_by_item_with_their_lines(reactor: Reactor, write: Write) -> None:
    items = "".join("- " + text.replace("\n", "\n  ").rstrip() + "\n" for text in (REACTOR, RUN.replace("Ada", "5")))
    folder = write({"all.yaml": f"apiVersion: v1\nkind: List\nitems:\n{items}"})
    (line,) = lines(reactor("lint", folder).out)
    assert line.startswith(f"{folder}/all.yaml:21: spec.inputs.who: ")


@pytest.mark.heavy
def test_ten_thousand_steps_are_checked_and_one_more_is_too_many(reactor: Reactor, write: Write) -> None:
    step = "  - {{name: s{}, run: {{container: {{image: busybox}}}}}}\n"
    many = REACTOR + "".join(step.format(number) for number in range(10_000))
    answer = reactor("lint", write({"reactor.yaml": many}))
    assert answer.code == 2
    assert any("spec.steps: " in line and "10000" in line for line in lines(answer.out)), answer.out[:500]


def test_a_missing_path_is_a_usage_error(reactor: Reactor, write: Write) -> None:
    folder = write({"notes.txt": ""})
    assert reactor("lint", folder / "nope").err == f"{folder}/nope: no such file or folder"
    assert reactor("lint", folder).code == 2


def test_a_handler_named_like_a_module_of_python_is_a_warning(reactor: Reactor, write: Write) -> None:
    step = "  - name: two\n    run: {python: {handler: 'queue:f'}}\n"
    folder = write({"reactor.yaml": REACTOR + step, "queue.py": "def f(): ...\n"})
    (line,) = lines(reactor("lint", folder).out)
    assert f"{folder}/queue.py has the name of a module that Python has itself" in line


def test_a_run_and_its_reactor_share_a_namespace(reactor: Reactor, write: Write) -> None:
    there = REACTOR.replace("{name: greet}", "{name: greet, namespace: there}")
    here = RUN.replace("{name: greet-ada}", "{name: greet-ada, namespace: here}")
    folder = write({"reactor.yaml": there, "run.yaml": here})
    (line,) = lines(reactor("lint", folder).out)
    assert line.endswith(
        "spec.reactorRef.name: no Reactor 'greet' in the run's namespace 'here', found it in 'there'; "
        "a run and its Reactor share a namespace"
    )
    (folder / "run.yaml").write_text(RUN)
    assert reactor("lint", folder).code == 0, "where none is written down it may be the same"


def test_a_finding_is_one_line_whatever_the_manifest_says(reactor: Reactor, write: Write) -> None:
    step = '  - name: "a\\x1b[2J\\nb"\n    run: {python: {source: "def main(): pass"}}\n'
    (line,) = lines(reactor("lint", write({"reactor.yaml": REACTOR + step})).out)
    assert "found 'a\\x1b[2J\\nb', expected a DNS label" in line


def test_a_path_that_the_system_refuses_is_a_usage_error(reactor: Reactor) -> None:
    answer = reactor("lint", "a" * 300)
    assert (answer.code, answer.err) == (2, f"{'a' * 300}: cannot be read: File name too long")


SHARED = (
    REACTOR.partition("  inputsSchema:")[0]
    + "  inputsSchemaFrom: {configMapKeyRef: {name: schemas, key: who}}\n  steps:"
    + REACTOR.partition("  steps:")[2]
)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("type: objekt", "type: "),
        ("properties: {a: &a {type: string}, b: *a}", "found the alias *a in line 1, expected none"),
        ("[1]", "found a list"),
        ("{", "found text that is neither JSON nor YAML"),
    ],
)
@pytest.mark.parametrize("command", ["lint", "run"])
def test_a_shared_schema_that_is_none_is_told_as_the_operator_tells_it(
    reactor: Reactor, write: Write, command: str, schema: str, said: str
) -> None:
    config = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: schemas}}\ndata:\n  who: |\n    {schema}\n"
    answer = reactor(command, write({"reactor.yaml": SHARED, "run.yaml": RUN, "config.yaml": config}))
    assert answer.code != 0
    assert f"spec.inputsSchemaFrom.configMapKeyRef: ConfigMap 'schemas', key 'who': {said}" in answer.out + answer.err


def test_the_schema_is_that_of_the_reactors_namespace(reactor: Reactor, write: Write) -> None:
    def config(namespace: str, required: str) -> str:
        return (
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: schemas, namespace: {namespace}}}\n"
            f"data:\n  who: |\n    required: [{required}]\n"
        )

    folder = write(
        {
            "reactor.yaml": SHARED.replace("name: greet}", "name: greet, namespace: live}"),
            "run.yaml": RUN.replace("name: greet-ada}", "name: greet-ada, namespace: live}"),
            "live.yaml": config("live", "who"),
            "test.yaml": config("test", "whom"),
        }
    )
    assert lines(reactor("lint", folder).out) == []


def test_a_secret_may_hold_bytes_that_nobody_reads_but_not_what_is_no_base64(reactor: Reactor, write: Write) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\ndata: {store.jks: /u3+7Q==}\n"
    folder = write({"reactor.yaml": REACTOR, "secret.yaml": secret})
    assert lines(reactor("lint", folder).out) == []
    write({"secret.yaml": secret.replace("/u3+7Q==", "s3cr3t")})
    (line,) = lines(reactor("lint", folder).out)
    assert "data.store.jks: not base64; plain text goes to stringData" in line


POOL = """\
apiVersion: reactor.run/v1alpha1
kind: ReactorPool
metadata: {name: warm}
spec:
  concurrency: 65
  replica: 2
"""


def test_a_pool_is_checked_as_on_the_cluster(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR, "pool.yaml": POOL})
    *found, counts = reactor("lint", folder).out.splitlines()
    assert [line.partition("pool.yaml:")[2] for line in found if "pool.yaml" in line] == [
        "5: spec.concurrency: found 65, expected at most 64",
        "6: spec.replica: unknown field 'replica': did you mean replicas?",
    ]
    assert counts.startswith("1 reactor, 1 pool and 0 runs: 2 errors")
    assert reactor("lint", write({"pool.yaml": POOL.replace("65", "6").replace("replica:", "replicas:")})).code == 0


SIGNAL = """\
apiVersion: reactor.run/v1alpha1
kind: ReactorSignal
metadata: {generateName: approve-}
spec:
  reactorRef: {name: checkout}
  action: resume
  delete: true
  paylod: {approved: true}
"""
SOUND_SIGNAL = SIGNAL.replace("  delete: true\n", "  correlationId: order-7\n").replace("paylod", "payload")


def test_a_signal_is_checked_as_on_the_cluster(reactor: Reactor, write: Write) -> None:
    folder = write(
        {
            "reactor.yaml": REACTOR,
            "signal.yaml": SIGNAL + "---\n" + SIGNAL.replace("resume", "rezume").replace("approve-", "a-"),
        }
    )
    *found, counts = reactor("lint", folder).out.splitlines()
    told = [line.partition("signal.yaml:")[2] for line in found if "signal.yaml" in line]
    assert "8: spec.paylod: unknown field 'paylod': did you mean payload?" in told
    assert any(line.startswith("15: spec.action: ") for line in told)
    assert counts.startswith("1 reactor, 2 signals and 0 runs: ")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (SOUND_SIGNAL.replace("payload: {", "delete: {"), "spec.delete: "),
        (SOUND_SIGNAL.replace("  correlationId: order-7\n", ""), "spec"),
        (
            SOUND_SIGNAL.replace("  reactorRef: {name: checkout}\n", ""),
            "spec.reactorRef: found none, expected the one ",
        ),
        (SOUND_SIGNAL + "  runRef: {name: order-1}\n", "spec"),
    ],
)
def test_what_is_wrong_with_a_signal_is_told_and_one_that_is_sound_needs_nothing_beside_it(
    reactor: Reactor, write: Write, wrong: str, told: str
) -> None:
    answer = reactor("lint", write({"signal.yaml": wrong}))
    assert (answer.code, f": {told}" in answer.out) == (2, True), answer.out
    sound = reactor("lint", write({"signal.yaml": SOUND_SIGNAL}))
    assert (sound.code, sound.out) == (0, "0 reactors, 1 signal and 0 runs: 0 errors, 0 warnings\n")
