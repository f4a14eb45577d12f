"""What each address of the API answers, once it is known who asks.

In: requests. Out: answers, or a `Refusal`. Never here: a word to anyone about what they may not see, a write.

The order is the same everywhere: who asks (401), whether the question makes sense (400), whether they may (403), and
only then whether there is an answer (404, 503).
"""

import asyncio
from dataclasses import dataclass, replace
from typing import cast

from starlette.requests import Request

from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.api.cursors import INBOX, REACTORS, RUNS, parse_cursor, render_cursor
from reactor_operator.gateway.api.forms import KnownForms
from reactor_operator.gateway.api.graphs import render_graph
from reactor_operator.gateway.api.pinned import NotSound, Reactors
from reactor_operator.gateway.api.ports import Mirror, Objects
from reactor_operator.gateway.api.queries import (
    InboxQuery,
    NothingAsked,
    ReactorsQuery,
    RunsQuery,
    parse_names,
    parse_query,
)
from reactor_operator.gateway.api.rendering import (
    Rendered,
    answer_of,
    inbox_item,
    metadata_of,
    page_of,
    reactor_item,
    ready_of,
    run_item,
)
from reactor_operator.gateway.api.viewers import Viewers, Visible
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.kept import Kept
from reactor_operator.gateway.reviews import Caller
from reactor_operator.kube.fields import int_at, map_at, text_at
from reactor_operator.mirror.index import Query, Slice, WaitSlice
from reactor_operator.mirror.summary import RunKey, RunSummary, Waiting, WaitKey

RUN, REACTOR = "reactorruns", "reactors"
LISTED_SECONDS = 5.0
_NOT_LISTED = "the runs are being listed for the first time; repeat the request"


def mirrored(mirror: Mirror) -> Mirror:
    """Return the mirror. Raises Refusal (503) while it does not know all runs."""
    if not mirror.ready:
        raise Refusal(503, _NOT_LISTED, {"Retry-After": "2"})
    return mirror


@dataclass(frozen=True, slots=True)
class RunService:
    """Answers about runs."""

    viewers: Viewers
    mirror: Mirror
    live: Objects
    reactors: Reactors

    async def page(self, http: Request) -> Answer:
        """Return a page of runs."""
        caller = await self.viewers.of(http)
        asked = parse_query(http, RunsQuery)
        below = cast("RunKey | None", parse_cursor(RUNS, asked.cursor))
        visible = await self.viewers.visible(caller, "list", RUN, asked.namespace)
        query = replace(asked.query(), namespaces=visible)
        runs = await self._find(query, below, asked.limit + 1)
        shown = runs[: asked.limit]
        cursor = render_cursor(RUNS, shown[-1].key) if len(runs) > len(shown) else None
        return answer_of(page_of([run_item(run) for run in shown], cursor, visible))

    async def _find(self, query: Query, below: RunKey | None, wanted: int) -> list[RunSummary]:
        """Return so many runs that match, slice by slice: others are answered between them."""
        index, found = mirrored(self.mirror).index, list[RunSummary]()
        part = Slice([], below)
        while True:
            part = index.slice(query, part.rest, wanted - len(found))
            found += part.runs
            if part.rest is None or len(found) >= wanted:
                return found
            await asyncio.sleep(0)

    async def get(self, http: Request) -> Answer:
        """Return a run as the API server has it now, without its inputs, which may be sensitive (see `documents`)."""
        caller, namespace, name = await self._named(http)
        await self.viewers.require(caller, "get", RUN, namespace)
        run = await self.live.run(namespace, name)
        spec = {field: value for field, value in map_at(run, "spec").items() if field != "inputs"}
        return answer_of({"metadata": metadata_of(run), "spec": spec, "status": map_at(run, "status")})

    async def graph(self, http: Request) -> Answer:
        """Return the graph of a run; it shows what the Reactor says, so that must be theirs to read too."""
        caller, namespace, name = await self._named(http)
        await self.viewers.require(caller, "get", RUN, namespace)
        await self.viewers.require(caller, "get", REACTOR, namespace)
        run = await self.live.run(namespace, name)
        found = await self.reactors.of_run(run)
        status = map_at(run, "status")
        graph = render_graph(found.reactor, status)
        said: Rendered = {
            "run": text_at(run, "metadata", "uid"),
            "pinned": found.pinned,
            "stepsOmitted": int_at(status, "stepsOmitted") or 0,
        }
        return answer_of(said | graph)

    async def _named(self, http: Request) -> tuple[Caller, str, str]:
        caller = await self.viewers.of(http)
        parse_query(http, NothingAsked)
        return caller, *parse_names(http)


@dataclass(frozen=True, slots=True)
class InboxService:
    """Answers what waits for people."""

    viewers: Viewers
    mirror: Mirror
    forms: KnownForms

    async def page(self, http: Request) -> Answer:
        """Return a page of interrupts that wait."""
        caller = await self.viewers.of(http)
        asked = parse_query(http, InboxQuery)
        above = cast("WaitKey | None", parse_cursor(INBOX, asked.cursor))
        visible = await self.viewers.visible(caller, "list", RUN, asked.namespace)
        waiting = await self._find(visible, asked.reactor or "", above, asked.limit + 1)
        shown = waiting[: asked.limit]
        cursor = render_cursor(INBOX, _key_of(*shown[-1])) if len(waiting) > len(shown) else None
        readable = await self.viewers.where(caller, "get", REACTOR, {run.namespace for run, _ in shown})
        items = [
            inbox_item(run, one) | (await self._form(run, one) if run.namespace in readable else {})
            for run, one in shown
        ]
        return answer_of(page_of(items, cursor, visible))

    async def _find(
        self, visible: Visible, reactor: str, above: WaitKey | None, wanted: int
    ) -> list[tuple[RunSummary, Waiting]]:
        index, found = mirrored(self.mirror).index, list[tuple[RunSummary, Waiting]]()
        part = WaitSlice([], above)
        while True:
            part = index.waits(visible, reactor, part.rest, wanted - len(found))
            found += part.waiting
            if part.rest is None or len(found) >= wanted:
                return found
            await asyncio.sleep(0)

    async def _form(self, run: RunSummary, one: Waiting) -> Rendered:
        schema = await self.forms.of(run, one.step)
        return {"payloadSchema": schema} if schema is not None else {}


def _key_of(run: RunSummary, one: Waiting) -> WaitKey:
    return one.opened_at or 0, run.namespace, run.name, one.step


class ReactorService:
    """Answers about reactors. They are few: all that may be seen are listed, and that is kept for some seconds."""

    def __init__(self, viewers: Viewers, mirror: Mirror, live: Objects, reactors: Reactors) -> None:
        self._viewers = viewers
        self._mirror = mirror
        self._live = live
        self._reactors = reactors
        self._listed = Kept[list[Rendered]](LISTED_SECONDS)

    async def page(self, http: Request) -> Answer:
        """Return a page of reactors."""
        caller = await self._viewers.of(http)
        asked = parse_query(http, ReactorsQuery)
        after = parse_cursor(REACTORS, asked.cursor)
        visible = await self._viewers.visible(caller, "list", REACTOR, asked.namespace)
        items = [item for item in await self._items(visible) if after is None or _name_of(item) > after]
        shown = items[: asked.limit]
        cursor = render_cursor(REACTORS, _name_of(shown[-1])) if len(items) > len(shown) else None
        return answer_of(page_of(shown, cursor, visible))

    async def _items(self, visible: Visible) -> list[Rendered]:
        """Return all reactors that are seen, by namespace and name."""
        scopes: list[str | None] = [*sorted(visible)] if visible is not None else [*self._mirror.namespaces] or [None]
        items: list[Rendered] = []
        for scope in scopes:
            items += await self._items_in(scope)
        return items

    async def _items_in(self, scope: str | None) -> list[Rendered]:
        kept = self._listed.get(scope)
        if kept is None:
            kept = sorted([reactor_item(reactor) async for reactor in self._live.reactors(scope)], key=_name_of)
            self._listed.keep(scope, kept)
        return kept

    async def get(self, http: Request) -> Answer:
        """Return a reactor as the API server has it now, with its graph."""
        caller = await self._viewers.of(http)
        parse_query(http, NothingAsked)
        namespace, name = parse_names(http)
        await self._viewers.require(caller, "get", REACTOR, namespace)
        reactor = await self._live.reactor(namespace, name)
        found = await self._reactors.of_reactor(reactor)
        answer: Rendered = {"metadata": metadata_of(reactor), "spec": map_at(reactor, "spec")}
        answer |= ready_of(reactor)
        if isinstance(found, NotSound):
            return answer_of(answer | {"problems": list(found.problems)})
        return answer_of(answer | {"graph": render_graph(found), "problems": []})


def _name_of(item: Rendered) -> tuple[str, str]:
    return str(item["namespace"]), str(item["name"])
