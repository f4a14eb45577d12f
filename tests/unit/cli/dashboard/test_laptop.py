"""The dashboard of a laptop: the runs of a state file are shown as a gateway shows those of a cluster, and go on when
somebody acts on them."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from reactor_operator.cli import drive
from tests.unit.cli.conftest import Reactor, Write
from tests.unit.cli.dashboard.laptop import laptop
from tests.unit.mirror.made import until

ASK = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: ask}
spec:
  description: asks a person
  inputsSchema: {type: object, properties: {card: {type: string, default: "4111", sensitive: true}}}
  steps:
  - name: approve
    interrupt: {TIMEOUT, payloadSchema: {type: object, required: [ok], properties: {ok: {type: boolean}}}}
  - name: act
    waitFor: [approve]
    arguments: {folder: {value: FOLDER}}
    run: {python: {source: "SOURCE"}}
    undo: {python: {source: "def main(folder): return None"}}
---
apiVersion: reactor.run/v1alpha1
kind: ReactorRun
metadata: {name: order-1}
spec: {reactorRef: {name: ask}}
---
apiVersion: reactor.run/v1alpha1
kind: ReactorRun
metadata: {name: order-2}
spec: {reactorRef: {name: ask}}
"""
QUICK = "def main(folder): return 1"
SLOW = r"\n".join(  # in a line of YAML
    (
        "import pathlib, time",
        "def main(folder):",
        "  (pathlib.Path(folder) / 'begun').touch()",
        "  while not (pathlib.Path(folder) / 'open').exists(): time.sleep(0.02)",
        "  (pathlib.Path(folder) / 'ended').touch()",
    )
)
YES: dict[str, Any] = {"action": "resume", "step": "approve", "payload": {"ok": True}}


class Kept:
    """A folder with manifests, and a state file with two runs that wait."""

    def __init__(self, reactor: Reactor, write: Write, folder: Path) -> None:
        self._reactor, self._write = reactor, write
        self.folder, self.state = folder / "manifests", folder / "run.db"

    def begin(self, source: str = QUICK, timeout: str = "timeout: 3h") -> None:
        text = ASK.replace("SOURCE", source).replace("FOLDER", f'"{self.folder.parent}"').replace("TIMEOUT", timeout)
        self._write({"manifests/reactor.yaml": text})
        assert self.run().count("Paused · waiting for a signal: approve") == 2

    def run(self) -> str:
        out: str = self._reactor("run", self.folder, "--state", str(self.state)).out
        return out


@pytest.fixture
def kept(reactor: Reactor, write: Write, tmp_path: Path) -> Kept:
    return Kept(reactor, write, tmp_path)


def test_what_is_stored_is_shown_as_a_cluster_would_show_it(kept: Kept) -> None:
    kept.begin()

    async def look() -> None:
        async with laptop(kept.state, kept.folder) as found:
            assert (await found.get("session"))["laptop"] is True
            assert await found.phases() == {"order-1": "Paused", "order-2": "Paused"}
            run = await found.get("runs/default/order-1")
            assert run["spec"] == {"reactorRef": {"name": "ask"}}
            assert run["status"]["interrupts"][0]["step"] == "approve"
            graph = await found.get("runs/default/order-1/graph")
            assert (graph["pinned"], [node["phase"] for node in graph["nodes"]]) == (True, ["Waiting", "Pending"])
            (reactor,) = (await found.get("reactors"))["items"]
            assert (reactor["name"], reactor["ready"]["status"]) == ("ask", "True")
            assert (await found.get("reactors/default/ask"))["graph"]["nodes"]
            items = (await found.get("inbox"))["items"]
            assert [item["payloadSchema"]["required"] for item in items] == [["ok"], ["ok"]]
            (first, *_) = (await found.get("runs/default/order-1/history"))["items"]
            assert first["number"] == 1
            step = await found.get("runs/default/order-1/step?path=approve")
            assert (step["phase"], step["interrupt"]["payloadSchema"]["required"]) == ("Waiting", ["ok"])
            await found.get("runs/default/none", 404)
            await found.get("reactors/default/none", 404)
            assert "4111" not in str(run) + str(items)

    asyncio.run(look())


def test_a_run_goes_on_when_it_is_resumed_and_the_others_stay_as_they_are(kept: Kept) -> None:
    kept.begin()

    async def act() -> None:
        async with laptop(kept.state, kept.folder) as found:
            refused = await found.ask("order-1", 422, **{**YES, "payload": {"ok": 1}})
            assert refused["errors"] == ['payload.ok: 1 is not of type "boolean"']
            assert (await found.ask("order-1", **YES))["answer"] == "accepted"
            await found.until("order-1", "Succeeded")
            assert (await found.phases())["order-2"] == "Paused"
            await until(lambda: "order-1 went on: Succeeded" in found.said)
            assert [item["run"] for item in (await found.get("inbox"))["items"]] == ["order-2"]

    asyncio.run(act())
    assert "order-1  Succeeded  (2/2)" in kept.run()


def test_it_may_be_held_still_and_let_go_on_undone_and_deleted(kept: Kept) -> None:
    kept.begin()

    async def act() -> None:
        async with laptop(kept.state, kept.folder) as found:
            await found.ask("order-1", action="suspend", reason="lunch")
            await found.until("order-1", "Suspended")
            await found.ask("order-1", **YES)
            assert (await found.phases())["order-1"] == "Suspended"
            await found.ask("order-1", action="unsuspend")
            await found.until("order-1", "Succeeded")
            assert (await found.ask("order-1", action="undo", delete=True))["answer"] == "accepted"
            await found.until("order-1", None)
            await found.get("runs/default/order-1", 404)
            assert await found.store.stored_runs() == {item["uid"] for item in (await found.get("runs"))["items"]}

    asyncio.run(act())


def test_two_runs_go_on_side_by_side_and_ctrl_c_lets_what_runs_end_and_cancels_nothing(kept: Kept) -> None:
    kept.begin(SLOW)

    async def act() -> None:
        async with laptop(kept.state, kept.folder) as found:
            for run in ("order-1", "order-2"):
                await found.ask(run, **YES)
                await found.until(run, "Running")
            await until((kept.folder.parent / "begun").exists)
            staying = asyncio.create_task(found.beside.stay(found.stops))
            await asyncio.sleep(0)
            found.stops.press()
            await asyncio.sleep(0.1)
            assert not staying.done()
            (kept.folder.parent / "open").touch()
            await staying
            assert any(line.startswith("leaving:") for line in found.said)
            assert (kept.folder.parent / "ended").exists()

    asyncio.run(act())
    assert kept.run().count("Succeeded in") == 2


def test_a_timer_of_a_run_that_somebody_acted_on_fires_here(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "WAITS_MS", 0)  # a run that waits is left at once, however soon its timer is due
    kept.begin(timeout="timeout: 4s, strategy: active, onTimeout: {action: Continue, value: {ok: false}}")

    async def act() -> None:
        async with laptop(kept.state, kept.folder) as found:
            assert (await found.ask("order-1", action="unsuspend"))["answer"] == "accepted"
            await found.until("order-1", "Succeeded")
            assert (await found.phases())["order-2"] == "Paused"

    asyncio.run(act())


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (None, "this folder has no Reactors; start the command with --manifests"),
        ("stepz", "reactor.yaml:4: spec.steps: found none"),
    ],
    ids=["there are none", "its Reactor is not sound any more"],
)
def test_where_the_manifests_do_not_carry_a_run_on_it_is_shown_and_nothing_is_asked_of_it(
    kept: Kept, source: str | None, told: str
) -> None:
    kept.begin()
    file = kept.folder / "reactor.yaml"
    file.write_text(file.read_text().replace("steps", source or "steps"))

    async def act() -> None:
        async with laptop(kept.state, kept.folder if source is not None else None) as found:
            assert await found.phases() == {"order-1": "Paused", "order-2": "Paused"}
            assert [item["name"] for item in (await found.get("reactors"))["items"]] == ["ask"]
            refused = await found.ask("order-1", 409, **YES)
            assert told in refused["error"]
            for uid in await found.store.stored_runs():
                snapshot = await found.store.load(uid)
                assert snapshot is not None
                assert snapshot.inbox == ()

    asyncio.run(act())


def test_a_reactor_that_has_changed_since_is_not_the_one_whose_form_is_shown(kept: Kept) -> None:
    kept.begin()
    file = kept.folder / "reactor.yaml"
    file.write_text(file.read_text().replace("asks a person", "asks another one"))

    async def look() -> None:
        async with laptop(kept.state, kept.folder) as found:
            assert ["payloadSchema" in item for item in (await found.get("inbox"))["items"]] == [False, False]
            assert (await found.get("runs/default/order-1/graph"))["nodes"][0]["interrupt"]["payloadSchema"]

    asyncio.run(look())


def test_a_run_that_cannot_be_read_is_told_and_hides_no_other_one(kept: Kept) -> None:
    kept.begin()
    with sqlite3.connect(kept.state) as db:
        (uid,) = db.execute("SELECT run FROM records WHERE name = 'header' ORDER BY run LIMIT 1").fetchone()
        db.execute("UPDATE records SET body = x'7b' WHERE name = 'header' AND run = ?", (uid,))

    async def look() -> None:
        async with laptop(kept.state, kept.folder) as found:
            assert len(await found.phases()) == 1
            assert [uid in line for line in found.said if line.startswith("error: ")] == [True]

    asyncio.run(look())


PRINTS = r"\n".join(("def main(folder):", "  print('looked into it')", "  return {'done': [1, 2]}"))


def test_what_became_of_a_run_is_shown_with_its_documents_and_logs(kept: Kept, reactor: Reactor) -> None:
    kept.begin(PRINTS)

    async def look() -> None:
        async with laptop(kept.state, kept.folder) as found:
            await found.ask("order-1", **YES)
            await found.until("order-1", "Succeeded")
            here = "runs/default/order-1"
            told = [(one["path"], one["to"]) for one in (await found.get(f"{here}/history"))["items"]]
            assert told == [
                ("", "Running"),
                ("approve", "Waiting"),
                ("", "Paused"),
                ("approve", "Succeeded"),
                ("", "Running"),
                ("act", "Running"),
                ("act", "Succeeded"),
                ("", "Succeeded"),
            ]
            step = await found.get(f"{here}/step?path=act")
            (task,) = step["tasks"]
            assert (step["result"]["value"], task["phase"], "pod" in task) == ({"done": [1, 2]}, "Succeeded", False)
            assert (await found.get(f"{here}/value?of=result&path=act&pointer=/done"))["length"] == 2
            assert "sensitive" in (await found.get(f"{here}/value?of=inputs", code=403))["error"]
            answer = await found.browser.get(f"/api/v1/{here}/logs", params={"task": task["task"]})
            assert (answer.headers["x-reactor-log"], answer.text) == ("kept", "looked into it\n")

    asyncio.run(look())
    printed = reactor("logs", "order-1", "--state", str(kept.state))
    assert printed.out == "==> act run attempt 1 <==\nlooked into it\n"
    assert "nothing is kept" in reactor("logs", "order-2", "--state", str(kept.state)).err
    assert reactor("logs", "order-1", "--state", "nowhere.db").code == 2


def test_the_log_of_a_task_is_followed_while_it_runs(kept: Kept) -> None:
    lines = SLOW.replace("(pathlib.Path(folder) / 'begun').touch()", "print('begun', flush=True)")
    kept.begin(lines)

    async def look() -> None:
        async with laptop(kept.state, kept.folder) as found:
            await found.ask("order-1", **YES)
            address = "/api/v1/runs/default/order-1/logs"
            query = {"task": "act.run.1.1.1", "follow": "true"}

            async def follow() -> str:
                text = ""
                async with found.browser.stream("GET", address, params=query) as answer:
                    assert answer.headers["x-reactor-log"] == "live"
                    async for part in answer.aiter_text():
                        text += part
                        if "begun" in text:
                            (kept.folder.parent / "open").touch()
                return text

            await found.until("order-1", "Running")
            assert await asyncio.wait_for(follow(), 20) == "begun\n"
            await found.until("order-1", "Succeeded")

    asyncio.run(look())
