"""`reactor apply` sends the modules beside a manifest as a ConfigMap, then the Reactor, then what was asked for."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from reactor_operator.cli.apply import objects_to_apply
from reactor_operator.cli.check import check_manifests
from reactor_operator.cli.errors import CommandError
from reactor_operator.cli.manifests import load_manifests
from reactor_operator.cli.start import InputsRefused, refuse_bad_inputs, render_run
from reactor_operator.kube.fields import JsonObject
from tests.expected_examples import SERVICES
from tests.unit.cli.conftest import EXAMPLES, REACTOR, RUN, Reactor, Write

WITH_MODULES = REACTOR.replace("spec:\n", "spec:\n  defaults: {modules: {configMapRef: {name: mods}}}\n", 1)
HANDLER = "  - name: two\n    run: {python: {handler: 'shop.stock:take'}}\n"


def applied(folder: Path, *, runs: bool = False) -> list[JsonObject]:
    manifests = load_manifests([str(folder)])
    return list(objects_to_apply(manifests, check_manifests(manifests).reactors, runs=runs))


def modules(folder: Path) -> Mapping[str, str]:
    found: Mapping[str, str] = applied(folder)[0]["data"]
    return found


def test_modules_go_by_dotted_names_before_the_reactor(write: Write) -> None:
    folder = write(
        {
            "reactor.yaml": WITH_MODULES + HANDLER,
            "run.yaml": RUN,
            "shop/stock.py": "def take(): ...\n",
            "shop/deep/er.py": "X = 1\n",
            "shop/tests/test_stock.py": "",
            "lib.dotted.py": "Y = 1\n",
            "plain.py": "Z = 1\n",
            "test_plain.py": "",
            "conftest.py": "",
            "real/__init__.py": "W = 1\n",
            "real/inner.py": "V = 1\n",
            "unrelated/thing.py": "",
        }
    )
    kinds = [one["kind"] for one in applied(folder, runs=True)]
    assert kinds == ["ConfigMap", "Reactor", "ReactorRun"]
    assert [one["kind"] for one in applied(folder)] == ["ConfigMap", "Reactor"]
    assert dict(modules(folder)) == {
        "lib.dotted.py": "Y = 1\n",
        "plain.py": "Z = 1\n",
        "real.__init__.py": "W = 1\n",
        "real.inner.py": "V = 1\n",
        "shop.deep.er.py": "X = 1\n",
        "shop.stock.py": "def take(): ...\n",
    }


OF_MODULES = [example for example in sorted(EXAMPLES.glob("0[2-9]*")) if example.name not in SERVICES]


@pytest.mark.parametrize("example", OF_MODULES, ids=lambda path: path.name)
def test_the_kustomization_of_an_example_gives_the_same_config_map(example: Path) -> None:
    generator = yaml.safe_load((example / "kustomization.yaml").read_text())
    assert generator["generatorOptions"] == {"disableNameSuffixHash": True}
    (config_map,) = generator["configMapGenerator"]
    files = dict(entry.split("=") for entry in config_map["files"])
    assert applied(example)[0]["metadata"]["name"] == config_map["name"]
    assert {key: (example / file).read_text() for key, file in files.items()} == modules(example)
    manifests = {file.name for file in example.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(generator["resources"]) == manifests


@pytest.mark.parametrize("example", sorted(SERVICES))
def test_the_kustomization_of_an_example_of_requests_brings_the_services_that_they_ask(example: str) -> None:
    folder, server = EXAMPLES / example, SERVICES[example]
    manifests = {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml"}
    whole = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert set(whole["resources"]) == manifests | {server.parent.name}
    of_services = yaml.safe_load((server.parent / "kustomization.yaml").read_text())
    (config_map,) = of_services["configMapGenerator"]
    deployment, service = yaml.safe_load_all((server.parent / "deployment.yaml").read_text())
    pod = deployment["spec"]["template"]
    assert config_map["files"] == [server.name]
    assert [volume["configMap"]["name"] for volume in pod["spec"]["volumes"]] == [config_map["name"]]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (reactor_,) = (one for one in applied(folder) if one["kind"] == "Reactor")
    address = f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert reactor_["spec"]["inputsSchema"]["properties"]["services"]["default"] == address


def test_a_pool_goes_before_the_reactors_whose_steps_it_takes(write: Write) -> None:
    pool = "apiVersion: reactor.run/v1alpha1\nkind: ReactorPool\nmetadata: {name: warm}\nspec: {}\n"
    folder = write({"a.yaml": REACTOR, "pool.yaml": pool, "run.yaml": RUN})
    assert [one["kind"] for one in applied(folder, runs=True)] == ["ReactorPool", "Reactor", "ReactorRun"]


def test_a_signal_goes_after_all_else_and_without_being_asked_for(write: Write) -> None:
    signal = (
        "apiVersion: reactor.run/v1alpha1\nkind: ReactorSignal\nmetadata: {name: s}\n"
        "spec: {runRef: {name: r}, action: cancel}\n"
    )
    folder = write({"a.yaml": signal, "b.yaml": REACTOR, "run.yaml": RUN})
    assert [one["kind"] for one in applied(folder, runs=True)] == ["Reactor", "ReactorRun", "ReactorSignal"]
    assert [one["kind"] for one in applied(folder)] == ["Reactor", "ReactorSignal"]


def test_a_config_map_that_is_a_manifest_is_taken_as_written(write: Write) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mods}\ndata: {shop.stock.py: 'X = 1'}\n"
    folder = write({"reactor.yaml": WITH_MODULES + HANDLER, "mods.yaml": config, "plain.py": ""})
    assert modules(folder) == {"shop.stock.py": "X = 1"}


def test_modules_that_are_not_there_or_too_large_are_told_before_anything_is_sent(write: Write) -> None:
    folder = write({"reactor.yaml": WITH_MODULES + HANDLER})
    with pytest.raises(CommandError, match=r"names the modules ConfigMap 'mods', and no \.py file is beside it"):
        applied(folder)
    write({"big.py": "#" * 1_000_001})
    with pytest.raises(CommandError, match=r"1,000,001 bytes, a ConfigMap holds 1,000,000"):
        applied(folder)


def test_nothing_is_applied_while_anything_is_wrong(reactor: Reactor, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR + "    undoo: {}\n"})
    answer = reactor("apply", folder, "--kubeconfig", folder / "nowhere")
    assert answer.code == 2
    assert "undoo" in answer.err
    assert "nowhere" not in answer.err, "the cluster was not even looked for"


def test_inputs_that_break_the_schema_are_refused_before_a_run_is_made() -> None:
    schema = {"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}}
    with pytest.raises(InputsRefused) as refused:
        refuse_bad_inputs("checkout", schema, {"total": "much"})
    assert str(refused.value).startswith("error: the inputs do not fit Reactor 'checkout':\n  total: ")
    assert refused.value.exit_code == 1
    refuse_bad_inputs("checkout", schema, {"total": 1})
    refuse_bad_inputs("checkout", {}, {"anything": 1})


def test_a_started_run_is_named_or_named_by_the_server() -> None:
    assert render_run("checkout", {}, None)["metadata"] == {"generateName": "checkout-"}
    assert render_run("checkout", {"a": 1}, "o-1") == {
        "apiVersion": "reactor.run/v1alpha1",
        "kind": "ReactorRun",
        "metadata": {"name": "o-1"},
        "spec": {"reactorRef": {"name": "checkout"}, "inputs": {"a": 1}},
    }


def mods(namespace: str, text: str) -> str:
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: mods, namespace: {namespace}}}\n"
        f"data: {{shop.stock.py: '{text}'}}\n"
    )


def in_namespace(namespace: str, manifest: str) -> str:
    return manifest.replace("name: greet}", f"name: greet, namespace: {namespace}}}", 1)


def test_modules_are_those_of_the_reactors_namespace(write: Write) -> None:
    folder = write(
        {
            "live.yaml": in_namespace("live", WITH_MODULES + HANDLER),
            "mods-live.yaml": mods("live", "LIVE = 1"),
            "mods-test.yaml": mods("test", "TEST = 1"),
        }
    )
    (sent,) = (one for one in applied(folder) if one["kind"] == "ConfigMap")
    assert (sent["metadata"]["namespace"], sent["data"]) == ("live", {"shop.stock.py": "LIVE = 1"})


def test_a_reactor_without_a_namespace_takes_no_modules_that_may_be_the_wrong_ones(write: Write) -> None:
    files = {"reactor.yaml": WITH_MODULES + HANDLER, "plain.py": ""}
    folder = write(files | {"mods-live.yaml": mods("live", "LIVE = 1"), "mods-test.yaml": mods("test", "TEST = 1")})
    with pytest.raises(CommandError, match=r"found ConfigMaps 'mods' in live, test; write the Reactor's"):
        applied(folder)


OTHER = (WITH_MODULES + HANDLER).replace("name: greet}", "name: leave}")


def sent_of_two_folders(folder: Path) -> list[JsonObject]:
    manifests = load_manifests([str(folder / "a"), str(folder / "b")])
    return list(objects_to_apply(manifests, check_manifests(manifests).reactors, runs=False))


def test_reactors_that_share_a_config_map_of_modules_bring_their_modules_together(write: Write) -> None:
    same = {"a/same.py": "S = 1\n", "b/same.py": "S = 1\n"}
    files = {"a/reactor.yaml": WITH_MODULES + HANDLER, "b/reactor.yaml": OTHER}
    folder = write(files | same | {"a/first.py": "A = 1\n", "b/second.py": "B = 1\n"})
    sent = sent_of_two_folders(folder)
    assert [one["kind"] for one in sent] == ["ConfigMap", "Reactor", "Reactor"]
    assert sent[0]["data"] == {"first.py": "A = 1\n", "same.py": "S = 1\n", "second.py": "B = 1\n"}
    write({"b/same.py": "S = 2\n"})
    with pytest.raises(CommandError, match=r"Reactor 'leave' shares .* 'mods' .* two different texts of 'same\.py'"):
        sent_of_two_folders(folder)


def test_modules_that_reactors_share_must_fit_their_config_map_together(write: Write) -> None:
    files = {"a/reactor.yaml": WITH_MODULES + HANDLER, "b/reactor.yaml": OTHER}
    folder = write(files | {"a/first.py": "#" * 600_000, "b/second.py": "#" * 600_000})
    with pytest.raises(CommandError, match=r"1,200,000 bytes, a ConfigMap holds 1,000,000"):
        sent_of_two_folders(folder)


def test_a_config_map_of_modules_beside_a_single_file_is_taken_as_written(reactor: Reactor, write: Write) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mods}\ndata: {shop.stock.py: 'X = 1'}\n"
    folder = write({"reactor.yaml": WITH_MODULES + HANDLER, "mods.yaml": config, "plain.py": ""})
    assert modules(folder / "reactor.yaml") == {"shop.stock.py": "X = 1"}
