"""The history of a run as it is shown, and the tasks of a step that it tells of.

In: entries of the store. Out: pages in the shape of `details`. Never here: an entry that is not looked at within a
bound: a history has 5,000 at most.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
from starlette.requests import Request

from reactor_operator.engine.history import Transition
from reactor_operator.engine.identity import Task, parse_task_key
from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.api.cursors import HISTORY, number_in, render_cursor
from reactor_operator.gateway.api.queries import HistoryQuery, parse_names, parse_query
from reactor_operator.gateway.api.rendering import Rendered, answer_of
from reactor_operator.gateway.api.services import RUN
from reactor_operator.gateway.api.stored import ShownStore, StoredRuns
from reactor_operator.gateway.api.viewers import Viewers
from reactor_operator.kube.moments import render_moment_ms
from reactor_operator.store.codec import decode_transition
from reactor_operator.store.port import HISTORY_KEPT

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Launch:
    """A task, and the entries that tell of its launch and of its end."""

    task: Task
    launched: Transition | None = None
    ended: Transition | None = None


@dataclass(frozen=True, slots=True)
class HistoryService:
    """Answers what became of runs."""

    viewers: Viewers
    runs: StoredRuns

    async def page(self, http: Request) -> Answer:
        """Return a page of the history of a run, or of one step."""
        caller = await self.viewers.of(http)
        asked = parse_query(http, HistoryQuery)
        after = number_in(HISTORY, asked.cursor)
        namespace, name = parse_names(http)
        await self.viewers.require(caller, "get", RUN, namespace)
        uid = await self.runs.uid_of(namespace, name)
        found = [one async for one in entries(self.runs.store, uid, after, asked.path, asked.limit + 1)]
        shown = found[: asked.limit]
        first = (await self.runs.store.get_history(uid, 0, 0)).first
        answer: Rendered = {"items": [_item(number, one) for number, one in shown], "dropped": first - 1}
        if len(found) > len(shown):
            answer["next"] = render_cursor(HISTORY, (shown[-1][0],))
        return answer_of(answer)


async def entries(
    store: ShownStore, uid: str, after: int, path: str | None, wanted: int
) -> AsyncIterator[tuple[int, Transition]]:
    """Yield so many entries above a number, with theirs: of one step, or (None) all. Raises StoreUnavailable."""
    marked = None if path is None else b'"path":' + orjson.dumps(path) + b"," if path else b'{"at":'
    while wanted > 0:
        page = await store.get_history(uid, after, min(_AT_ONCE, HISTORY_KEPT if marked else wanted))
        for number, body in page.entries:
            if marked is not None and marked not in body:
                continue
            one = decode_transition(body)
            if path is None or one.path == path:
                yield number, one
                wanted -= 1
                if not wanted:
                    return
        if not page.entries:
            return
        after = page.entries[-1][0]


async def launches(store: ShownStore, uid: str, path: str) -> list[Launch]:
    """Return the tasks of a step that its history tells of, oldest first."""
    found: dict[str, Launch] = {}
    async for _, one in entries(store, uid, 0, path, HISTORY_KEPT):
        for key in (one.ended, one.opened):
            task = parse_task_key(f"{path}.{key}") if key else None
            if task is None:
                continue
            known = found.get(key, Launch(task))
            is_end = key == one.ended
            found[key] = Launch(task, known.launched if is_end else one, one if is_end else known.ended)
    return list(found.values())


def _item(number: int, one: Transition) -> Rendered:
    key = one.opened or one.ended
    cause: Rendered = {"type": one.cause, "text": one.text, **({"by": one.by} if one.by else {})}
    item: Rendered = {
        "number": number,
        "at": render_moment_ms(one.at),
        "path": one.path,
        "from": one.before,
        "to": one.after,
        "round": one.round,
        "attempt": one.attempt,
        "cause": cause,
    }
    tasks = {"action": key.partition(".")[0], "launched": _task(one, one.opened), "ended": _task(one, one.ended)}
    return item | {name: told for name, told in tasks.items() if told}


def _task(one: Transition, key: str) -> str:
    return f"{one.path}.{key}" if key else ""
