"""Single runs and reactors, their graphs, and what waits for people: as the cluster has them, and `***` stays `***`."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from reactor_operator.kube.paths import REACTOR_RUN
from tests.contract.looking import LINE, SCHEMA, SPEC, Looking, looking
from tests.unit.mirror.made import run_object, until

CANARY = "CANARY-4711"
PINNED = {"name": "x", "uid": "x-uid", "generation": 1, "digest": "d"}


@pytest_asyncio.fixture
async def look() -> AsyncIterator[Looking]:
    async with looking() as served:
        yield served


async def graph(look: Looking, path: str = "runs/shop/r/graph") -> dict[str, Any]:
    answer = await look.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


class TestRun:
    async def test_it_is_read_from_the_api_server_with_what_the_operator_says_of_it(self, look: Looking) -> None:
        found = (await look.get("runs/shop/r")).json()
        assert found["metadata"] == {
            "namespace": "shop",
            "name": "r",
            "uid": "uid",
            "generation": 1,
            "createdAt": "2026-01-01T00:00:00Z",
            "deleting": False,
        }
        assert found["spec"] == {"reactorRef": {"name": "x"}}
        assert found["status"] == json.loads(json.dumps(look.run.status))

    async def test_labels_annotations_and_managed_fields_are_not_shown(self, look: Looking) -> None:
        one = run_object("noted")
        one["metadata"] |= {
            "annotations": {"reactor.run/resume": CANARY},
            "managedFields": [CANARY],
            "labels": {"a": "b"},
        }
        await look.server.put(REACTOR_RUN.object("shop", "noted"), one)
        answer = await look.get("runs/shop/noted")
        assert CANARY not in answer.text
        assert set(answer.json()["metadata"]) == {"namespace", "name", "uid", "generation", "createdAt", "deleting"}

    async def test_one_that_is_not_there_is_told(self, look: Looking) -> None:
        answer = await look.get("runs/shop/none")
        assert (answer.status_code, answer.json()["error"]) == (404, "there is no run 'none' in namespace shop")

    async def test_one_that_is_nested_very_deeply_is_shown(self, look: Looking) -> None:
        deep: object = 1
        for _ in range(300):
            deep = [deep]
        one = run_object("deep")
        one["spec"]["deep"] = deep
        await look.server.put(REACTOR_RUN.object("shop", "deep"), one)
        answer = await look.client.get("/api/v1/runs/shop/deep", headers={"Authorization": "Bearer token-of-ann"})
        assert answer.status_code == 200
        assert answer.json()["spec"]["deep"] == deep

    async def test_its_inputs_are_not_shown_with_it_for_they_may_be_sensitive(self, look: Looking) -> None:
        one = run_object("given")
        one["spec"]["inputs"] = {"card": "CANARY"}
        await look.server.put(REACTOR_RUN.object("shop", "given"), one)
        answer = await look.get("runs/shop/given")
        assert (answer.status_code, "CANARY" in answer.text, "inputs" in answer.json()["spec"]) == (200, False, False)

    async def test_a_namespace_that_is_not_watched_is_told(self, look: Looking) -> None:
        forbidden = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "may not"}
        look.server.script = [(403, forbidden, {})]
        answer = await look.get("runs/shop/r")
        assert (answer.status_code, "is not one that this installation watches" in answer.text) == (404, True)

    async def test_while_the_api_server_does_not_answer_it_is_to_be_asked_for_again(self, look: Looking) -> None:
        look.server.script = [(500, {"kind": "Status", "code": 500, "message": "etcd"}, {})]
        answer = await look.get("runs/shop/r")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "etcd" not in answer.text


class TestGraph:
    async def test_what_is_inside_of_what(self, look: Looking) -> None:
        found = await graph(look)
        nodes = {node["path"]: node for node in found["nodes"]}
        assert {path: (node["kind"], node.get("parent")) for path, node in nodes.items()} == {
            "approve": ("interrupt", None),
            "secret": ("interrupt", None),
            "charge": ("task", None),
            "ship": ("compose", None),
            "ship/pack": ("task", "ship"),
            "ship/send": ("task", "ship"),
            "route": ("switch", None),
            "route[0]": ("task", "route"),
            "route[default]": ("compose", "route"),
            "route[default]/wait": ("interrupt", "route[default]"),
            "rows": ("map", None),
            "rows[]": ("compose", "rows"),
            "rows[]/check": ("interrupt", "rows[]"),
            "tidy": ("task", None),
        }
        assert [nodes[path]["final"] for path in ("charge", "tidy")] == [False, True]
        assert (nodes["ship"]["reactor"], nodes["charge"]["undo"], nodes["charge"]["does"]) == (
            "line",
            True,
            "shop:work",
        )
        assert nodes["route[0]"]["when"] == "results.approve.approved"
        assert nodes["approve"]["interrupt"] == {"payloadSchema": SCHEMA, "timeout": "72h", "approvers": False}

    async def test_what_waits_for_what(self, look: Looking) -> None:
        edges = (await graph(look))["edges"]
        assert {(edge["start"], edge["end"]): edge["orderOnly"] for edge in edges} == {
            ("approve", "charge"): True,
            ("secret", "charge"): False,
            ("charge", "ship"): True,
            ("ship/pack", "ship/send"): True,
            ("approve", "route"): False,
            ("charge", "route"): True,
            ("ship", "rows"): True,
        }

    async def test_each_step_has_the_phase_that_the_status_says(self, look: Looking) -> None:
        found = await graph(look)
        assert (found["run"], found["pinned"], found["stepsOmitted"]) == ("uid", True, 0)
        phases = {node["path"]: node.get("phase") for node in found["nodes"]}
        told = {step["name"]: step["phase"] for step in json.loads(json.dumps(look.run.status))["steps"]}
        assert {path: phases[path] for path in told} == told
        assert phases["rows[]/check"] is None

    async def test_a_reactor_that_changed_since_changes_nothing(self, look: Looking) -> None:
        before = await graph(look)
        await look.put_reactor("x", LINE, generation=2)
        await look.put_reactor("line", SPEC, generation=2)
        assert await graph(look) == before

    async def test_a_run_that_has_not_started_shows_its_reactor_as_it_is_now(self, look: Looking) -> None:
        await look.put_run("new")
        found = await graph(look, "runs/shop/new/graph")
        assert (found["pinned"], len(found["nodes"])) == (False, 14)

    async def test_a_run_that_the_store_forgot_shows_its_reactor_while_that_is_the_same(self, look: Looking) -> None:
        await look.put_run(
            "forgotten", phase="Failed", reactor={"name": "x", "uid": "x-uid", "generation": 1, "digest": "d"}
        )
        assert not (await graph(look, "runs/shop/forgotten/graph"))["pinned"], "what it composes may have changed"
        await look.put_reactor("x", LINE)
        assert (await graph(look, "runs/shop/forgotten/graph"))["pinned"]
        await look.put_reactor("x", SPEC, generation=2)
        answer = await look.get("runs/shop/forgotten/graph")
        assert (answer.status_code, "the store has nothing of run 'forgotten'" in answer.text) == (404, True)

    async def test_of_a_reactor_that_is_not_sound_there_is_none(self, look: Looking) -> None:
        await look.put_reactor("x", {"steps": []}, generation=2)
        await look.put_run("new")
        answer = await look.get("runs/shop/new/graph")
        assert (answer.status_code, len(answer.json()["errors"])) == (404, 1)


class TestReactors:
    async def test_they_are_listed_by_name_in_pages(self, look: Looking) -> None:
        first = (await look.get("reactors", limit=1)).json()
        second = (await look.get("reactors", limit=1, cursor=first["next"])).json()
        assert [item["name"] for item in first["items"] + second["items"]] == ["line", "x"]
        assert "next" not in second
        assert (second["items"][0]["steps"], second["items"][0]["description"]) == (6, "takes an order")
        assert second["items"][0]["ready"]["status"] == "True"

    async def test_one_is_shown_with_its_graph(self, look: Looking) -> None:
        found = (await look.get("reactors/shop/x")).json()
        assert (found["metadata"]["name"], found["spec"], found["problems"]) == ("x", SPEC, [])
        assert len(found["graph"]["nodes"]) == 14
        assert not any("phase" in node for node in found["graph"]["nodes"])

    @pytest.mark.parametrize(
        ("spec", "problem"),
        [
            ({"steps": [{"name": "a", "run": {"python": {}}}]}, "spec.steps[0].run.python"),
            ({"steps": [{"name": "a", "compose": {"reactorRef": {"name": "none"}}}]}, "found no Reactor 'none'"),
            ({"steps": [{"name": "a", "compose": {"reactorRef": {"name": "bad"}}}]}, "Reactor 'bad': spec.steps"),
            ({"steps": [{"name": "a", "compose": {"reactorRef": {"name": "odd"}}}]}, "without an end"),
        ],
    )
    async def test_one_that_is_not_sound_is_shown_with_what_is_wrong(
        self, look: Looking, spec: dict[str, object], problem: str
    ) -> None:
        await look.put_reactor("bad", {"steps": []})
        await look.put_reactor("odd", spec)
        found = (await look.get("reactors/shop/odd")).json()
        assert "graph" not in found
        assert problem in found["problems"][0]
        assert found["spec"] == spec


class TestInbox:
    async def test_what_waits_longest_comes_first_with_all_that_a_form_needs(self, look: Looking) -> None:
        old = {"step": "rows[7]/check", "openedAt": "1969-12-31T23:59:59Z", "expiresAt": "2026-02-01T00:00:00Z"}
        older = {**old, "openedAt": "1971-01-01T00:00:00Z", "attemptsLeft": 2, "approvers": True, "lastRejection": "no"}
        await look.put_run("old", phase="Paused", interrupts=[older], reactor=PINNED)
        first, *others = (await look.get("inbox")).json()["items"]
        assert first["run"] == "r", "its moments are those of a clock that began in 1970"
        assert first["correlationId"] == "order/7"
        assert {item["step"] for item in (first, *others)} == {"approve", "secret", "rows[7]/check"}
        last = others[-1]
        assert last == {
            "namespace": "shop",
            "run": "old",
            "runUid": "uid-old",
            "reactor": "x",
            "step": "rows[7]/check",
            "openedAt": "1971-01-01T00:00:00Z",
            "expiresAt": "2026-02-01T00:00:00Z",
            "attemptsLeft": 2,
            "approvers": True,
            "lastRejection": "no",
            "payloadSchema": SCHEMA,
        }

    async def test_it_comes_in_pages_and_by_reactor(self, look: Looking) -> None:
        first = (await look.get("inbox", limit=1)).json()
        second = (await look.get("inbox", limit=1, cursor=first["next"])).json()
        assert {item["step"] for item in first["items"] + second["items"]} == {"approve", "secret"}
        assert "next" not in second
        assert (await look.get("inbox", reactor="y")).json()["items"] == []

    async def test_the_schema_of_a_reactor_that_changed_since_is_not_shown(self, look: Looking) -> None:
        await look.put_reactor("x", SPEC, generation=2)
        await look.put_run("old", phase="Paused", interrupts=[{"step": "approve"}], reactor=PINNED)
        await look.put_run("new", phase="Paused", interrupts=[{"step": "approve"}], reactor={**PINNED, "generation": 2})
        items = {item["run"]: item for item in (await look.get("inbox")).json()["items"]}
        assert ["payloadSchema" in items[run] for run in ("old", "new")] == [False, True]

    async def test_the_schema_of_a_step_of_another_reactor_is_not_guessed(self, look: Looking) -> None:
        await look.put_reactor(
            "line", {"steps": [{"name": "pack", "interrupt": {"payloadSchema": SCHEMA}}]}, generation=2
        )
        await look.put_run("in", phase="Paused", interrupts=[{"step": "ship/pack"}], reactor=PINNED)
        items = {item["run"]: item for item in (await look.get("inbox")).json()["items"]}
        assert "payloadSchema" not in items["in"]


class TestSensitive:
    async def test_what_is_sensitive_is_masked_on_every_address(self, look: Looking) -> None:
        said = {"namespace": "shop", "run": "r", "action": "resume", "step": "secret", "payload": {"pin": CANARY}}
        async with look.run.answering():
            headers = {"Authorization": "Bearer token-of-ann"}
            sent = await look.client.post("/v1/signals", json=said, headers=headers)
            assert sent.json()["answer"] == "accepted"
        await look.show()
        steps = {step["name"]: step for step in (await look.get("runs/shop/r")).json()["status"]["steps"]}
        assert (steps["secret"]["phase"], steps["secret"]["result"]) == ("Succeeded", "***")
        await until(lambda: (run := look.mirror.index.get("shop", "r")) is not None and len(run.waiting) == 1)
        for path in ("runs", "runs/shop/r", "runs/shop/r/graph", "inbox", "reactors", "reactors/shop/x"):
            assert CANARY not in (await look.get(path)).text
