"""Requests to a run in a state file: undone, retried, carried over, suspended."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Reactor, Write

SHOP = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: shop}
spec:
  steps:
  - name: reserve
    arguments: {log: {input: log}}
    run: {python: {source: "def main(log): open(log, 'a').write('r'); return {'id': 1}"}}
    undo: {python: {source: "def main(log, result): open(log, 'a').write('R')"}}
  - name: charge
    arguments: {card: {input: card}, log: {input: log}, reservation: {result: reserve, path: id}}
    run:
      python:
        source: |
          def main(card, log, reservation):
              if card == "bad":
                  raise ValueError("declined")
              open(log, "a").write("c")
              return card
    undo: {python: {source: "def main(log, result, **_): open(log, 'a').write('C')"}}
"""
RUN = """\
apiVersion: reactor.run/v1alpha1
kind: ReactorRun
metadata: {name: one}
spec: {reactorRef: {name: shop}, inputs: {card: CARD, log: LOG}}
"""


class Laptop:
    """A folder with a state file and a log of what happened: r and c forwards, R and C backwards."""

    def __init__(self, reactor: Reactor, write: Write, folder: Path) -> None:
        self.reactor, self.write, self.folder = reactor, write, folder
        self.state = folder / "run.db"
        self.out = ""

    def put(self, card: str = "good", extra: str = "") -> None:
        run = RUN.replace("CARD", card).replace("LOG", str(self.folder / "log")).replace("spec: {", "spec: {" + extra)
        self.write({"reactor.yaml": SHOP, "run.yaml": run})

    def run(self, card: str = "good", extra: str = "") -> int:
        self.put(card, extra)
        return self.reactor("run", self.folder, "--state", self.state).code

    def ask(self, *words: str) -> tuple[int, str]:
        answer = self.reactor(*words, "--state", self.state, "--manifests", self.folder)
        self.out = answer.out
        return answer.code, answer.err

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def status(self) -> dict[str, Any]:
        shown = self.reactor("run", self.folder, "--state", self.state, "-o", "json")
        status: dict[str, Any] = json.loads(shown.out)["status"]
        return status


@pytest.fixture
def laptop(reactor: Reactor, write: Write, tmp_path: Path) -> Laptop:
    return Laptop(reactor, write, tmp_path)


def test_a_run_that_succeeded_is_undone(laptop: Laptop) -> None:
    assert laptop.run() == 0
    assert laptop.ask("undo", "one", "--reason", "a mistake") == (0, "")
    assert laptop.log == "rcCR"
    assert (laptop.status["phase"], laptop.status["message"]) == ("Undone", "a mistake (rolled back: charge, reserve)")


def test_a_run_that_is_undone_may_be_deleted_with_that(laptop: Laptop) -> None:
    assert laptop.run() == 0
    assert laptop.ask("undo", "one", "--delete") == (0, "")
    assert laptop.log == "rcCR"
    assert laptop.run() == 0  # the state file knows nothing of it: this is another run
    assert laptop.log == "rcCRrc"


def test_a_failed_run_is_retried_with_other_arguments(laptop: Laptop) -> None:
    assert laptop.run("bad") == 1
    arguments = json.dumps({"card": "other", "log": str(laptop.folder / "log"), "reservation": 1})
    assert laptop.ask("retry", "one", "--step", "charge", "--arguments", arguments)[0] == 0
    assert laptop.log == "rRrc"
    assert (laptop.status["phase"], laptop.status["result"]) == ("Succeeded", "other")


def test_a_failed_step_is_given_a_value(laptop: Laptop) -> None:
    assert laptop.run("bad") == 1
    assert laptop.ask("skip", "one", "charge", "--payload", '"by hand"')[0] == 0
    assert laptop.log == "rRr"
    assert (laptop.status["phase"], laptop.status["result"]) == ("Succeeded", "by hand")


def test_what_makes_no_sense_is_refused_and_changes_nothing(laptop: Laptop) -> None:
    assert laptop.run() == 0
    code, told = laptop.ask("cancel", "one")
    assert (code, told) == (2, "cancel is refused: the run has ended: Succeeded")
    assert "  | cancel is asked of it\n" in laptop.out
    assert laptop.status["signals"][-1]["phase"] == "Rejected"
    assert laptop.log == "rc"


def test_a_run_that_was_never_started_is_not_asked(laptop: Laptop, write: Write) -> None:
    assert laptop.run() == 0
    write({"run.yaml": RUN.replace("one", "two")})
    code, told = laptop.ask("undo", "two")
    assert code == 2
    assert "found no run 'two', expected one that was started" in told
    assert "(here default)" in told


def test_a_run_of_another_namespace_is_not_asked(laptop: Laptop) -> None:
    laptop.put()
    run = (laptop.folder / "run.yaml").read_text().replace("{name: one}", "{name: one, namespace: shop}")
    laptop.write({"run.yaml": run})
    assert laptop.reactor("run", laptop.folder, "--state", laptop.state).code == 0
    code, words = laptop.ask("undo", "one", "-n", "bank")
    assert (code, "no ReactorRun 'one' in namespace 'bank', found it in 'shop'" in words) == (2, True)
    assert laptop.log == "rc"
    assert laptop.ask("undo", "one", "-n", "shop")[0] == 0


@pytest.mark.parametrize("option", ["--context", "--kubeconfig"])
def test_a_run_is_on_this_machine_or_on_a_cluster(laptop: Laptop, option: str) -> None:
    assert laptop.run() == 0
    code, words = laptop.ask("undo", "one", option, "other")
    assert (code, "name a cluster: leave one away" in words) == (2, True)
    assert laptop.log == "rc"


def test_asking_makes_no_state_file(laptop: Laptop) -> None:
    laptop.put()
    code, told = laptop.ask("undo", "one")
    assert (code, told) == (2, f"--state {laptop.state}: found no file, expected that of the `reactor run` to ask")
    assert not laptop.state.exists()


def test_a_run_that_its_manifest_suspends_goes_on_by_request_whatever_it_says(laptop: Laptop) -> None:
    assert laptop.run(extra="suspend: true, ") == 3
    assert "set it to false, or call `reactor suspend one --off`, to go on" in laptop.status["message"]
    assert laptop.ask("suspend", "one", "--off", "--reason", "all is well") == (0, "")
    assert "  | suspend --off is asked of it\n" in laptop.out
    assert laptop.log == "rc"
    answer = laptop.status["signals"][-1]
    assert (answer["action"], answer["phase"], answer["reason"]) == ("suspend", "Accepted", "all is well")
    assert laptop.run(extra="suspend: true, ") == 0


def test_a_suspended_run_says_who_asked_and_stays_so_until_it_is_to_go_on(laptop: Laptop) -> None:
    assert laptop.run(extra="suspend: true, ") == 3
    assert laptop.ask("suspend", "one") == (0, "")
    assert laptop.status["signals"][-1]["reason"] == "the run is suspended already"
    laptop.put()  # the manifest says another thing, and then a person does
    assert laptop.ask("suspend", "one", "--reason", "look first") == (0, "")
    assert not (laptop.folder / "log").exists()
    told = "suspended on request (command line: look first): call `reactor suspend one --off` to go on"
    assert (laptop.status["phase"], laptop.status["message"]) == ("Suspended", told)
    assert laptop.run() == 3
    assert laptop.ask("suspend", "one", "--off") == (0, "")
    assert laptop.log == "rc"


def test_a_run_that_has_ended_is_not_suspended(laptop: Laptop) -> None:
    assert laptop.run() == 0
    assert laptop.ask("suspend", "one") == (2, "suspend is refused: the run has ended: Succeeded")
    assert laptop.ask("suspend", "one", "--off") == (2, "suspend is refused: the run has ended: Succeeded")


def test_a_suspended_run_holds_still_until_its_manifest_says_otherwise(laptop: Laptop) -> None:
    assert laptop.run(extra="suspend: true, ") == 3
    assert laptop.status["phase"] == "Suspended"
    assert not (laptop.folder / "log").exists()
    assert laptop.run() == 0
    assert laptop.log == "rc"
