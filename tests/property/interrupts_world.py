"""Worlds whose people send interrupts their payloads: good and bad ones, twice, to closed and unknown ones, on trial.

In: a plan with interrupts and a `random.Random`. Out: as `World`. What holds of interrupts at every moment is checked
as it goes (`waits.py`).
"""

from random import Random

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import StartTask
from reactor_operator.engine.draft import Decision
from reactor_operator.engine.plan import InterruptPlan, Plan, StepKind, StepPlan
from reactor_operator.engine.signals import ANSWERS_KEPT
from reactor_operator.engine.state import RunPhase, RunState, Stage, is_held
from reactor_operator.engine.values import reference_to
from tests.property.maps_world import MapsWorld
from tests.property.waits import Waits, is_paused, open_interrupts
from tests.property.world import World

BAD = 0.35
"""How many of the payloads are none that their interrupt takes."""


class WaitingWorld(World):
    """Runs one plan with interrupts to its end.

    sent: every resume, in order.   verdicts: what is wrong with its payload, by id.   waits: what is known of them.
    """

    def __init__(self, plan: Plan, random: Random, *, cancels: bool = True, signals: int = 0) -> None:
        super().__init__(plan, random, cancels=cancels, signals=signals)
        self.sent: list[ev.ResumeRequested] = []
        self.verdicts: dict[str, tuple[str, ...]] = {}
        self.waits = Waits()

    # what people do

    def move(self) -> None:
        waiting = list(open_interrupts(self.plan, self.state))
        held = is_held(self.state.header)
        stuck = not self.open and self.wake_at is None and not held
        dice = self.random.random()
        if waiting and (stuck or dice < 0.12):
            self.resume(self.random.choice(waiting))
        elif dice < 0.15:
            self.resume(self.random.choice([*self.plan.steps, *self.waits.ever, "nowhere", "nowhere[3]/at-all"]))
        elif self.waits.consumed and dice < 0.152:
            self.forget_answers()
        elif self.sent and dice < 0.18:
            self.send(self.random.choice(self.sent))
        elif not self.open and waiting and not held and dice < 0.6:
            self.pass_over()
        else:
            super().move()

    def forget_answers(self) -> None:
        """So many others ask that nothing is remembered of the answers before, and what was consumed is sent again."""
        for number in range(ANSWERS_KEPT):
            self.feed(ev.SkipRequested(id=f"forget-{len(self.sent)}-{number}", step="nowhere"))
        for request in self.sent:
            if request.id in self.waits.consumed:
                self.send(request)

    def pass_over(self) -> None:
        """Time passes though nothing is in flight: an interrupt may be open for too long, of which only people hear."""
        self.now += self.random.choice([1, 50, 400])
        self.feed(ev.TimePassed())

    def resume(self, path: str) -> None:
        """Send a payload, mostly alone; else with what happens at the same instant."""
        name = f"resume-{len(self.sent)}"
        request = ev.ResumeRequested(
            id=self.random.choice(self.sent).id if self.sent and self.random.random() < 0.1 else name,
            step=path,
            payload=self.random.choice([None, reference_to(f'"payload {name}"'.encode())]),
            mild=self.random.random() < 0.2,
            dry_run=self.random.random() < 0.15,
            approved=self.random.random() < 0.8,
        )
        self.sent.append(request)
        dice = self.random.random()
        if dice < 0.75:
            self.send(request)
        elif dice < 0.85:
            self.send(request, ev.TimePassed())
        elif dice < 0.93:
            other = ev.ResumeRequested(id=f"{name}-too", step=path, payload=reference_to(b'"another"'), approved=True)
            self.sent.append(other)
            self.send(*self.random.sample([request, other], 2))
        elif self.cancels:
            cancel = ev.CancelRequested(id=str(self.random.randrange(3)), reason="test")
            self.send(*((request, cancel) if self.random.random() < 0.5 else (cancel, request)))

    def send(self, *events: ev.Event) -> None:
        """Feed what people ask together; each resume is answered, and one that was consumed before changes nothing."""
        before, asked = self.state, [one for one in events if isinstance(one, ev.ResumeRequested)]
        consumed = all(one.id in self.waits.consumed for one in asked) and len(asked) == len(events)
        if self.random.random() < 0.2 and self.wake_at is not None:
            self.now = max(self.now, self.wake_at)  # at the very instant at which something is due
        self.feed(*events)
        if consumed:  # what was held back may go on
            assert self.state.header.signals == before.header.signals, f"{asked} was consumed, and is answered again"
            closed = open_interrupts(self.plan, before).keys() - open_interrupts(self.plan, self.state).keys()
            assert not closed, f"{asked} was consumed, and closed {closed}"
        for one in asked:
            answered = any((said.id, said.action) == (one.id, "resume") for said in self.state.header.signals)
            assert answered or one.id in self.waits.consumed, f"{one} was not answered"

    # what the shell answers

    def evaluation(self, path: str, round_: int) -> ev.Event:
        waits = self.planned(path).interrupt
        return super().evaluation(path, round_) if waits is None else self.opening(path, round_, waits)

    def opening(self, path: str, round_: int, waits: InterruptPlan) -> ev.Event:
        """Answer what an interrupt is evaluated to as it opens."""
        evaluated = ev.StepEvaluated(
            path=path,
            round=round_,
            proceed=self.random.random() > 0.05,
            correlation=self.random.choice(["", f"of {path}"]),
            otherwise=reference_to(b'"otherwise"') if waits.continues else None,
        )
        if not evaluated.proceed and isinstance(self, MapsWorld):
            self.results[path] = None
        return evaluated

    def judge(self, request: ev.ResumeRequested) -> ev.Event:
        """Say whether a payload is what its interrupt waits for, at each time the same."""
        wrong = ("payload.x: found none",) if self.random.random() < BAD else ()
        errors = self.verdicts.setdefault(request.id, wrong)
        return ev.PayloadJudged(request=request, payload=request.payload, errors=errors)

    # what holds

    def perform(self, events: tuple[ev.Event, ...], before: RunState, decision: Decision) -> None:
        results = self.waits.check(self.plan, before, decision.state, events, self.now)
        if isinstance(self, MapsWorld):
            self.results |= results
        super().perform(events, before, decision)

    def start(self, order: StartTask) -> None:
        assert self.kind_of(order.task.path) is not StepKind.INTERRUPT, f"{order.task.key}: an interrupt is launched"
        super().start(order)

    def kind_of(self, path: str) -> StepKind:
        """Return what a step that is in flight is."""
        planned: StepPlan = self.planned(path)
        return planned.kind

    def check_always(self) -> None:
        super().check_always()
        state, due_now = self.state, self.wake_at is not None and self.wake_at <= self.now
        if due_now or state.header.stage is Stage.OVER:
            return  # what is due may be what goes on
        paused = is_paused(self.plan, state)
        assert paused is None or paused is (state.header.phase is RunPhase.PAUSED), (
            f"{state.header.phase}: {sorted(open_interrupts(self.plan, state))} are open, {list(self.open)} in flight"
        )


class WaitingMaps(WaitingWorld, MapsWorld):
    """Runs one plan with maps, and with interrupts in them or beside them."""
