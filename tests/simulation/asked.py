"""What people asked of runs and what they were answered: the rules that hold for it at every moment, and in the end.

In: each request as it is made, each answer as it is told, each request that is gone from its object. Out: nothing, or
an AssertionError that names the rule. Never here: how an operator tells one request from another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reactor_operator.engine.actions import Announce
from reactor_operator.engine.signals import ANSWERS_KEPT
from reactor_operator.engine.state import Header
from reactor_operator.kube.fields import maps_at, text_at
from reactor_operator.ports import RunObject

Answer = tuple[str, str, str]
"""The run, the id and the action that are answered."""
PREFIX = "reactor.run/"
ACTIONS = ("cancel", "undo", "retry", "skip", "resume", "suspend")


@dataclass(frozen=True, eq=False)
class Ask:
    """One request. `place`: its annotation, or `status/ID`; `name`: its id, empty where it has none of its own.

    before: what had been answered of the run when it was made; no answer to it is one of these, if it has no id.
    """

    run: str
    action: str
    place: str
    name: str
    before: frozenset[Answer]


@dataclass
class Asked:
    """All requests of a world.

    standing: those that are on their objects, by run and place: the same thing may be said there more than once.
    excused:  runs of which somebody changed what tells answers and requests apart: a status, a count.
    _kept:    the answers that a run keeps, of which its status is made.
    """

    asks: list[Ask] = field(default_factory=list)
    standing: dict[tuple[str, str], list[Ask]] = field(default_factory=dict)
    excused: set[str] = field(default_factory=set)
    withdrawn: set[Ask] = field(default_factory=set)
    _answers: dict[Answer, tuple[str, str]] = field(default_factory=dict)
    _kept: dict[str, frozenset[Answer]] = field(default_factory=dict)
    _announced: set[str] = field(default_factory=set)

    def made(self, run: str, action: str, place: str, name: str) -> None:
        """Somebody asks."""
        before = self._kept.get(run, frozenset()) | {answer for answer in self._answers if answer[0] == run}
        ask = Ask(run, action, place, name, before)
        self.asks.append(ask)
        self.standing.setdefault((run, place), []).append(ask)

    def told(self, run: str, status: Mapping[str, object], *, lost: bool) -> None:
        """People read answers: each request has one, and keeps it.

        One that was refused may be refused with another reason: an operator that was replaced may tell a run that waits
        so, after the next one has read its object and opens it.
        """
        for one in maps_at(status, "signals"):
            answer = (run, text_at(one, "id"), text_at(one, "action"))
            said = (text_at(one, "phase"), text_at(one, "reason"))
            first = self._answers.setdefault(answer, said)
            same = first == said or first[0] == said[0] == "Rejected"
            assert same or lost or run in self.excused, f"{answer} is answered twice: {first}, then {said}"

    def committed(self, run: str, header: Header) -> None:
        """A run answered something, or nothing new."""
        self._kept[run] = frozenset((run, one.id, one.action) for one in header.signals)

    def announced(self, run: str, announcement: Announce) -> None:
        """People read in an Event that something is refused, of which no status can tell."""
        if "its state is not stored any more" in announcement.message:
            self._announced.add(run)

    def taken_away(self, before: RunObject, after: RunObject) -> None:
        """An operator wrote an object: what is not asked there any more is answered."""
        for ask in self._gone(before, after):
            assert self.is_answered(ask), f"{ask.run}: {ask.place} is taken away, and was not answered"

    def changed_by_others(self, before: RunObject, after: RunObject) -> None:
        """Somebody else wrote an object: what is not asked there any more is withdrawn, and may be answered or not."""
        self.excused.add(before.ref.uid)
        self.withdrawn.update(self._gone(before, after))

    def is_answered(self, ask: Ask) -> bool:
        """Tell whether people were told what came of it, or could have been: a run keeps its last answers, and those
        that it gave since may have taken the place of this one before its status was written.
        """
        kept = self._kept.get(ask.run, frozenset())
        if ask.run in self._announced or (len(kept) == ANSWERS_KEPT and not kept & ask.before):
            return True
        if ask.name:
            return (ask.run, ask.name, ask.action) in self._answers
        answers = {one for one in self._answers if one[0] == ask.run and one[2] == ask.action} - ask.before
        return ask.run in self.excused or any(name.startswith("annotation-") for _, name, _ in answers)

    def check(self, runs: Mapping[str, RunObject]) -> None:
        """In the end nothing is asked any more, and all that was asked of a run that is still there is answered."""
        for ask in self.asks:
            if ask.run in runs and ask not in self.withdrawn:
                assert self.is_answered(ask), f"{ask.run}: {ask.place} was never answered"
        for uid, run in runs.items():
            assert not places_in(run), f"{uid}: {sorted(places_in(run))} are still asked"

    def _gone(self, before: RunObject, after: RunObject) -> list[Ask]:
        gone = sorted(places_in(before) - places_in(after))
        return [ask for place in gone for ask in self.standing.pop((before.ref.uid, place), ())]


def places_in(run: RunObject) -> set[str]:
    """Return where something is asked of a run."""
    asked = {key for key in run.annotations if key.removeprefix(PREFIX).partition(".")[0] in ACTIONS}
    return asked | {f"status/{text_at(one, 'id')}" for one in maps_at(run.status, "requests")}
