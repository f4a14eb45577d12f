"""Changes are told once, in order; who is too slow is told to list again, and keeps nobody waiting."""

from reactor_operator.mirror.feed import BUFFERED, REMEMBERED, Change, Feed
from tests.unit.mirror.made import a_run


async def numbers(told: list[Change] | None) -> list[int] | None:
    return None if told is None else [change.number for change in told]


async def test_each_listener_is_told_what_is_of_its_namespaces() -> None:
    feed = Feed()
    with feed.listening(None) as everybody, feed.listening(frozenset({"bank"})) as banker:
        feed.tell(a_run("a"))
        feed.tell(a_run("b", "bank"), removed=True)
        assert await numbers(await everybody.next(1)) == [1, 2]
        told = await banker.next(1)
        assert told is not None
        assert [(change.run.name, change.removed) for change in told] == [("b", True)]
    assert len(feed) == 0


async def test_without_a_change_nothing_is_told() -> None:
    with Feed().listening(None) as listener:
        assert await listener.next(0) == []


async def test_who_is_too_slow_is_told_so_and_hears_what_comes_after() -> None:
    feed = Feed()
    with feed.listening(None) as slow, feed.listening(None) as quick:
        for _ in range(BUFFERED + 1):
            feed.tell(a_run("a"))
            assert len(await quick.next(1) or []) == 1
        assert len(slow.waiting) <= BUFFERED
        assert await slow.next(1) is None
        feed.tell(a_run("b"))
        assert await numbers(await slow.next(1)) == [BUFFERED + 2]


async def test_who_comes_back_hears_what_was_told_since() -> None:
    feed = Feed()
    for _ in range(5):
        feed.tell(a_run("a"))
    with feed.listening(None, since=3) as back, feed.listening(None, since=5) as up_to_date:
        assert await numbers(await back.next(1)) == [4, 5]
        assert await numbers(await up_to_date.next(0)) == []


async def test_who_comes_back_too_late_or_from_elsewhere_is_told_to_list_again() -> None:
    feed = Feed()
    for _ in range(REMEMBERED + 1):
        feed.tell(a_run("a"))
    for since in (-1, 0, REMEMBERED + 2):
        with feed.listening(None, since=since) as back:
            assert back.lost
            assert await back.next(1) is None


async def test_who_listens_to_a_feed_that_ends_is_let_go() -> None:
    feed = Feed()
    with feed.listening(None) as before:
        feed.tell(a_run("a"))
        feed.close()
        assert await numbers(await before.next(60)) == [1]
        assert before.closed
    with feed.listening(None) as after:
        assert await after.next(60) == []
        assert after.closed
