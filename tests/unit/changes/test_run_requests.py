"""Requests of people that stand on a run: each reaches the inbox once, and goes once it is answered."""

import asyncio
from typing import ClassVar

from reactor_operator.engine.events import Signal
from reactor_operator.engine.state import Header, SignalAnswer
from reactor_operator.reconciling.standing import Standing
from reactor_operator.store.port import Entry
from tests.unit.changes.followed import FINISHED, PATH, REF, Trial
from tests.unit.kube.api_server import Json


class TestCancel:
    asked: ClassVar[Json] = {"annotations": {"reactor.run/cancel": "why"}}

    async def test_a_request_reaches_the_inbox_once_and_stays_until_it_is_answered(self, trial: Trial) -> None:
        await trial.store_run()
        async with trial.following() as runs:
            for _ in range(3):
                await runs.changed("MODIFIED", await trial.put(metadata=self.asked))
        (asked,) = await trial.cancels()
        assert asked.reason == "why"
        assert "reactor.run/cancel" in trial.server.objects[PATH]["metadata"]["annotations"]

    async def test_an_answered_request_is_removed(self, trial: Trial) -> None:
        await trial.store_run()
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked))
            (asked,) = await trial.cancels()
            answered = {"phase": "Running", "signals": [{"id": asked.id, "action": "cancel"}]}
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked, status=answered))
        assert trial.server.objects[PATH]["metadata"]["annotations"] == {"reactor.run/answered.cancel": "1"}

    async def test_one_whose_answer_is_not_kept_any_more_is_removed(self, trial: Trial) -> None:
        """A run keeps twenty answers: of more requests at once some are told in no status."""
        await trial.store_run()
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked))
            (asked,) = await trial.cancels()
            trial.standing = Standing(unread=frozenset({(asked.id, "cancel")}))
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked))
            assert "reactor.run/cancel" in trial.server.objects[PATH]["metadata"]["annotations"]
            trial.standing = Standing(
                header=Header(signals=(SignalAnswer(id=asked.id, action="cancel", accepted=True),))
            )
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked))
            assert "reactor.run/cancel" in trial.server.objects[PATH]["metadata"]["annotations"]
            trial.standing = Standing()
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked))
        assert trial.server.objects[PATH]["metadata"]["annotations"] == {"reactor.run/answered.cancel": "1"}

    async def test_one_that_a_store_lost_while_the_run_was_read_stays(self, trial: Trial) -> None:
        await trial.store_run()
        trial.standing, trial.goes_back = Standing(), True
        async with trial.following() as runs:
            for _ in range(2):
                await runs.changed("MODIFIED", await trial.put(metadata=self.asked))
        assert "reactor.run/cancel" in trial.server.objects[PATH]["metadata"]["annotations"]

    async def test_one_of_which_the_run_knows_alone_that_it_resumed_something_is_removed_too(
        self, trial: Trial
    ) -> None:
        """That is known for longer than the answer is shown."""
        await trial.store_run()
        asked = {"annotations": {"reactor.run/resume.m": '{"step": "a"}'}}
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=asked))
            trial.standing = Standing(header=Header(consumed=("m",)))
            await runs.changed("MODIFIED", await trial.put(metadata=asked))
        assert trial.server.objects[PATH]["metadata"]["annotations"] == {}

    async def test_what_was_answered_and_removed_may_be_asked_for_again_in_the_same_words(self, trial: Trial) -> None:
        await trial.store_run()
        signals: list[Json] = []
        for times in (1, 2, 3):
            counted = trial.server.objects.get(PATH, {}).get("metadata", {}).get("annotations", {})
            asked = {"annotations": {**counted, **self.asked["annotations"]}}
            async with trial.following() as runs:
                await runs.changed("MODIFIED", await trial.put(metadata=asked, status={"signals": signals}))
                requests = await trial.cancels()
                assert len({one.id for one in requests}) == len(requests) == times
                signals = [*signals, {"id": requests[-1].id, "action": "cancel"}]
                await runs.changed("MODIFIED", await trial.put(metadata=asked, status={"signals": signals}))
            assert "reactor.run/cancel" not in trial.server.objects[PATH]["metadata"]["annotations"]

    async def test_what_is_asked_again_in_the_same_words_is_not_taken_away_for_the_first_by_an_old_read(
        self, trial: Trial
    ) -> None:
        await trial.store_run()
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked))
            (first,) = await trial.cancels()
            answered = {"signals": [{"id": first.id, "action": "cancel"}]}
            old = await trial.put(metadata=self.asked, status=answered)
            await runs.changed("MODIFIED", old)
            counted = trial.server.objects[PATH]["metadata"]["annotations"]
            again = {"annotations": {**counted, **self.asked["annotations"]}}
            await trial.put(metadata=again, status=answered)
            await runs.changed("MODIFIED", old)
        assert trial.server.objects[PATH]["metadata"]["annotations"] == again["annotations"]

    async def test_a_request_that_changed_meanwhile_is_not_removed(self, trial: Trial) -> None:
        await trial.store_run()
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked))
            (asked,) = await trial.cancels()
            seen = await trial.put(metadata=self.asked, status={"signals": [{"id": asked.id, "action": "cancel"}]})
            await trial.put(metadata={"annotations": {"reactor.run/cancel": "another"}})
            await runs.changed("MODIFIED", seen)
        assert trial.server.objects[PATH]["metadata"]["annotations"] == {"reactor.run/cancel": "another"}

    async def test_an_answered_request_is_removed_however_deep_it_is(self, trial: Trial) -> None:
        await trial.store_run()
        deep: list[object] = []
        for _ in range(300):
            deep = [deep]
        requests = [{"id": "1", "action": "skip", "step": "a", "payload": deep}]
        answered = {"phase": "Running", "requests": requests, "signals": [{"id": "1", "action": "skip"}]}
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(status=answered))
        assert trial.server.objects[PATH]["status"]["requests"] == []

    async def test_a_run_that_is_over_is_asked_too(self, trial: Trial) -> None:
        await trial.store_run(active=False)
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked, status=FINISHED))
        (asked,) = await trial.cancels()
        assert asked.reason == "why"

    async def test_a_request_that_was_recorded_before_this_process_began_is_looked_at(self, trial: Trial) -> None:
        await trial.store_run(active=False)
        for _ in range(2):
            async with trial.following() as runs:
                await runs.changed(None, await trial.put(metadata=self.asked, status=FINISHED))
        assert trial.queue.taken() == [REF]

    async def test_a_request_that_was_prepared_for_no_stored_run_is_not_appended_to_one_that_is_by_now(
        self, trial: Trial
    ) -> None:
        """What it brings may be sensitive, and was not encrypted."""

        async def opened_meanwhile(entry: Entry, event: Signal) -> None:
            await trial.store_run()

        trial.prepared = opened_meanwhile
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked, status={"phase": "Pending"}))
        assert await trial.cancels() == []
        assert REF in trial.queue.taken()
        assert "reactor.run/cancel" in trial.server.objects[PATH]["metadata"]["annotations"]

    async def test_a_run_that_ended_and_of_which_an_older_state_is_stored_refuses_once_that_is_known(
        self, trial: Trial
    ) -> None:
        await trial.store_run()
        asked = {"metadata": self.asked, "status": FINISHED}
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(**asked))
            assert "reactor.run/cancel" in trial.server.objects[PATH]["metadata"]["annotations"]
            trial.outlived.add(REF)  # it is reconciled in the meantime, and looked at again
            await runs.changed("MODIFIED", await trial.put(**asked))
        assert trial.server.objects[PATH]["metadata"]["annotations"] == {"reactor.run/answered.cancel": "1"}
        (event,) = [one for path, one in trial.server.objects.items() if "/events/" in path]
        assert "not stored any more" in event["message"]

    async def test_a_run_that_ended_and_is_stored_no_more_refuses_and_says_so(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked, status=FINISHED))
        assert trial.server.objects[PATH]["metadata"]["annotations"] == {"reactor.run/answered.cancel": "1"}
        (event,) = [one for path, one in trial.server.objects.items() if "/events/" in path]
        assert (event["reason"], event["type"]) == ("CancelRefused", "Warning")
        assert "Succeeded" in event["message"]

    async def test_an_entry_of_the_status_is_a_request_and_goes_once_it_is_answered(self, trial: Trial) -> None:
        await trial.store_run()
        wanted = {"id": "7", "action": "cancel", "reason": "why", "by": "ann"}
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(status={"requests": [wanted]}))
            (asked,) = await trial.cancels()
            assert (asked.id, asked.reason, asked.by) == ("7", "why", "ann")
            answered = {"requests": [wanted], "signals": [{"id": "7", "action": "cancel"}]}
            await runs.changed("MODIFIED", await trial.put(status=answered))
        assert trial.server.objects[PATH]["status"]["requests"] == []

    async def test_a_run_that_is_not_stored_yet_is_asked_again(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put(metadata=self.asked))
            assert "reactor.run/cancel" in trial.server.objects[PATH]["metadata"]["annotations"]
            assert runs._unsettled == {REF}

    async def test_what_was_handed_in_before_a_store_was_lost_is_handed_in_to_the_next(self, trial: Trial) -> None:
        await trial.store_run()
        spec = {"reactorRef": {"name": "x"}, "suspend": True}
        metadata = {**self.asked, "generation": 2}
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=metadata, spec=spec))
            before = await trial.store.load("uid")
            assert before is not None
            await trial.store.forget("uid")
            await trial.store_run()  # an older copy, in which nobody had asked for anything yet
            runs.distrust([REF])
            attending = asyncio.create_task(runs.run())
            async with asyncio.timeout(10):
                while (after := await trial.store.load("uid")) is None or len(after.inbox) < 2:  # noqa: ASYNC110 - a store tells nobody
                    await asyncio.sleep(0.01)
            attending.cancel()
        assert len(before.inbox) == 2
        assert [body for _, body in after.inbox] == [body for _, body in before.inbox]
