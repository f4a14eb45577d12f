"""What the API answers, as models: its OpenAPI document is made of them, and tests hold every answer against it.

In: nothing. Out: models. Never here: how an answer is made; what the cluster says goes out as it is, unparsed.
"""

from typing import Annotated, Literal

from pydantic import Field

from reactor_operator.api.model import Boolean, Model, Object, Optional
from reactor_operator.api.status import Condition, Count, Message, Moment, RunStatus, StepPath, Word
from reactor_operator.engine.plan import StepKind
from reactor_operator.gateway.api.queries import MOST_SHOWN

Cursor = Annotated[str, Field(max_length=1024)]
Shown = Annotated[
    Optional[tuple[Word, ...]],
    Field(description="The namespaces that this is of; unset where it is of all. Others the caller may not see."),
]
Next = Annotated[Optional[Cursor], Field(description="The cursor of the next page; unset on the last one.")]


class RunItem(Model):
    """A run in a list."""

    namespace: Word = Field(description="Its namespace.")
    name: Word = Field(description="Its name.")
    uid: Word = Field(description="Its uid: another run of the name has another one.")
    reactor: Word = Field(description="The Reactor it is of.")
    phase: Word = Field(description="Where it is; Pending before the operator has said anything.")
    created_at: Moment = Field(description="When it was created.")
    started_at: Optional[Moment] = Field(default=None, description="When it started.")
    finished_at: Optional[Moment] = Field(default=None, description="When it ended.")
    progress: Word = Field(description="Steps done, of all steps; empty while that is not known.")
    message: Annotated[str, Field(max_length=200)] = Field(description="What there is to know about it, cut.")
    waiting: Count = Field(description="How many interrupts wait in it, at most 100.")


class RunPage(Model):
    """Runs, newest first."""

    items: Annotated[tuple[RunItem, ...], Field(max_length=MOST_SHOWN)] = Field(description="The runs.")
    next: Next = None
    namespaces: Shown = None


class RemovedRun(Model):
    """A run that is gone."""

    namespace: Word = Field(description="Its namespace.")
    name: Word = Field(description="Its name.")
    uid: Word = Field(description="Its uid.")


class ObjectMetadata(Model):
    """Which object it is."""

    namespace: Word = Field(description="Its namespace.")
    name: Word = Field(description="Its name.")
    uid: Word = Field(description="Its uid.")
    generation: Count = Field(description="Goes up with each change of its spec.")
    created_at: Moment = Field(description="When it was created.")
    deleting: Boolean = Field(description="true: somebody deleted it, and it is about to go.")


class RunAnswer(Model):
    """A run as it is now."""

    metadata: ObjectMetadata = Field(description="Which run it is.")
    spec: Object = Field(description="The spec of the ReactorRun, as somebody wrote it, without its inputs.")
    status: RunStatus = Field(description="Its status, as the operator wrote it; empty before that.")


class GraphInterrupt(Model):
    """What an interrupt waits for."""

    payload_schema: Optional[Object] = Field(default=None, description="JSON Schema of the payload. Unset: any JSON.")
    timeout: Optional[Word] = Field(default=None, description="How long it waits. Unset: no limit.")
    approvers: Boolean = Field(description="true: it takes signals of approvers alone.")


class GraphNode(Model):
    """A step, with what is inside it beside it: a compose, a switch and a map are the parents of others."""

    path: StepPath = Field(description="Its path. Of a map `rows` all elements are one template, `rows[]`.")
    parent: Optional[StepPath] = Field(default=None, description="The step that it is inside of. Unset: of none.")
    kind: StepKind = Field(description="What it is.")
    does: Word = Field(description="What it does, in a few words.")
    reactor: Optional[Word] = Field(default=None, description="Of a compose: the Reactor that is inside it.")
    final: Boolean = Field(description="true: it runs at every end of the run.")
    when: Optional[Word] = Field(default=None, description="The condition under which it runs, cut.")
    undo: Boolean = Field(description="Whether it can be undone.")
    compensate: Boolean = Field(description="Whether its own failure is cleaned up after.")
    optional: Boolean = Field(description="true: the run goes on where it fails.")
    interrupt: Optional[GraphInterrupt] = Field(default=None, description="Of an interrupt: what it waits for.")
    phase: Optional[Word] = Field(
        default=None, description="Where it is, of a run; unset where the status has no word of it."
    )


class GraphEdge(Model):
    """One step waits for another one of the same scope."""

    start: StepPath = Field(description="The step that is waited for.")
    end: StepPath = Field(description="The step that waits.")
    order_only: Boolean = Field(description="true: for its end alone, and not for its result.")


class Graph(Model):
    """The steps of a reactor, and what waits for what."""

    nodes: tuple[GraphNode, ...] = Field(description="The steps, in the order of the manifest.")
    edges: tuple[GraphEdge, ...] = Field(description="What waits for what, in the order of their ends.")


class RunGraph(Graph):
    """The graph of a run's reactor, with where each step is."""

    run: Word = Field(description="The uid of the run.")
    pinned: Boolean = Field(
        description="true: this is what the run keeps to. false: this is its Reactor as it is now, for the run has not "
        "started, or the store has nothing of it any more."
    )
    steps_omitted: Count = Field(description="How many steps the status had no room for.")


class ReactorItem(Model):
    """A reactor in a list."""

    namespace: Word = Field(description="Its namespace.")
    name: Word = Field(description="Its name.")
    uid: Word = Field(description="Its uid.")
    generation: Count = Field(description="Goes up with each change of its spec.")
    created_at: Moment = Field(description="When it was created.")
    description: Optional[Message] = Field(default=None, description="What it says of itself, cut.")
    steps: Count = Field(description="How many steps it has, those inside others not counted.")
    ready: Optional[Condition] = Field(default=None, description="Its condition Ready; unset before it was judged.")


class ReactorPage(Model):
    """Reactors by namespace and name."""

    items: Annotated[tuple[ReactorItem, ...], Field(max_length=MOST_SHOWN)] = Field(description="The reactors.")
    next: Next = None
    namespaces: Shown = None


class ReactorAnswer(Model):
    """A reactor as it is now."""

    metadata: ObjectMetadata = Field(description="Which reactor it is.")
    spec: Object = Field(description="The spec of the Reactor, as somebody wrote it.")
    ready: Optional[Condition] = Field(default=None, description="Its condition Ready; unset before it was judged.")
    graph: Optional[Graph] = Field(default=None, description="Its steps; unset where it is not sound.")
    problems: tuple[Message, ...] = Field(description="Why there is no graph, a line for everything that is wrong.")


class InboxItem(Model):
    """An interrupt that waits for a signal."""

    namespace: Word = Field(description="The namespace of its run.")
    run: Word = Field(description="The name of its run.")
    run_uid: Word = Field(description="The uid of its run.")
    reactor: Word = Field(description="The Reactor of its run.")
    step: StepPath = Field(description="The step, also in an element of a map: rows[7]/approve.")
    correlation_id: Optional[Word] = Field(default=None, description="The id by which signals may name it.")
    opened_at: Optional[Moment] = Field(default=None, description="Since when it waits.")
    expires_at: Optional[Moment] = Field(default=None, description="Until when it waits. Unset: for ever.")
    attempts_left: Optional[Count] = Field(default=None, description="Invalid payloads until the step fails.")
    approvers: Boolean = Field(description="true: it takes signals of approvers alone.")
    last_rejection: Optional[Message] = Field(default=None, description="Why the last payload was refused, cut.")
    payload_schema: Optional[Object] = Field(
        default=None,
        description="JSON Schema of the payload. Unset where there is none, where the Reactor has changed since the "
        "run started (the graph of the run has it), and where the caller may not get Reactors.",
    )


class InboxPage(Model):
    """Interrupts that wait, the longest wait first."""

    items: Annotated[tuple[InboxItem, ...], Field(max_length=MOST_SHOWN)] = Field(description="The interrupts.")
    next: Next = None
    namespaces: Shown = None


class Rights(Model):
    """What somebody may do in the namespaces that were asked for, or in any; every address asks again."""

    act: Boolean = Field(description="true: to ask something of runs, which is to create reactorsignals.")
    approve: Boolean = Field(description="true: to resume what takes signals of approvers alone, too.")


class SessionAnswer(Model):
    """Who looks, and what they may do."""

    user: Annotated[str, Field(max_length=1024)] = Field(description="Who the API server says that they are.")
    laptop: Boolean = Field(description="true: these are runs of a state file or of this process, not of a cluster.")
    version: Word = Field(description="The version of what answers.")
    namespaces: tuple[Word, ...] | None = Field(
        description="The namespaces with runs that they may list. null: they may list those of all namespaces."
    )
    namespaces_omitted: Boolean = Field(
        description="true: there are too many to ask about each, so some are to be named."
    )
    may: Rights = Field(description="What they may do.")


class RequestAnswer(Model):
    """What a run answers to a request."""

    id: Optional[Word] = Field(default=None, description="What the request is called: by this ask again.")
    run: Optional[Word] = Field(default=None, description="The name of the run. Unset where nothing is stored of it.")
    answer: Literal["accepted", "pending", "rejected"] = Field(description="accepted: it is committed, and happens.")
    reason: Optional[Message] = Field(default=None, description="Why it is rejected, or what there is to know.")
    errors: Optional[tuple[Message, ...]] = Field(
        default=None, description="Everything that is wrong, by the path in the body: payload.approved: …"
    )


class ErrorAnswer(Model):
    """Why there is no answer."""

    error: Message = Field(description="Why, in a sentence.")
    errors: Optional[tuple[Message, ...]] = Field(default=None, description="A line for everything that is wrong.")
