"""The command line of the components: what is wrong is told, and nothing is started."""

import asyncio

import pytest

from reactor_operator.__main__ import USAGE, main, run
from reactor_operator.running.parts import forever


@pytest.mark.parametrize("words", [[], ["operate"], ["operator", "--now"]])
def test_a_wrong_word_is_told_the_right_ones(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert USAGE in capsys.readouterr().err


@pytest.mark.parametrize("component", ["operator", "gateway"])
def test_a_bare_environment_is_refused_with_every_problem(
    component: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REACTOR_INSTALLATION", "REACTOR_REDIS_URL", "REACTOR_TOKEN_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert main([component]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"the environment of the {component} is not usable:\n  ")
    assert "REACTOR_INSTALLATION: found nothing" in told
    assert "REACTOR_REDIS_URL: found nothing" in told


def test_a_part_that_fails_ends_the_process_with_a_failure() -> None:
    async def failing(stop: asyncio.Event, listen: object) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(_fail())
            await stop.wait()

    async def _fail() -> None:
        raise RuntimeError("lost")

    assert run(failing, "error") == 1


def test_a_part_of_the_operator_that_ends_by_itself_ends_the_process_with_a_failure() -> None:
    async def over() -> None:
        return

    async def ending(stop: asyncio.Event, listen: object) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(forever("queue", over()))
            await stop.wait()

    assert run(ending, "error") == 1


def test_being_told_to_stop_is_no_failure() -> None:
    async def stopping(stop: asyncio.Event, listen: object) -> None:
        import os
        import signal

        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            await stop.wait()

    assert run(stopping, "error") == 0
