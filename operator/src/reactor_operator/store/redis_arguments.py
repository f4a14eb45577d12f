"""What `commit.lua` and `append.lua` are given, and what their refusals mean.

In: commits and entries as `port.py` has them. Out: the scripts' arguments in their order; `CommitRefused` exceptions.
Never here: a call of Redis.
"""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from reactor_operator.store.port import (
    Claim,
    Commit,
    CorrelationTaken,
    Entry,
    InboxAhead,
    KeyTaken,
    OldEpoch,
    StaleRevision,
)
from reactor_operator.store.redis_connection import Argument
from reactor_operator.store.redis_keys import stored_name


def flat(found: Mapping[str, bytes]) -> list[Argument]:
    """Return names and bodies in turn."""
    return [part for pair in found.items() for part in pair]


def commit_arguments(commit: Commit, prefix: str) -> list[Argument]:
    """Return what `commit.lua` is given."""
    records, removed = _kept_and_removed(commit.records)
    pages, removed_pages = _kept_and_removed(commit.pages)
    arguments: list[Argument] = [commit.run, commit.revision, commit.epoch, commit.inbox_position, int(commit.active)]
    arguments.append(prefix)
    for members in (
        records,
        removed,
        sorted(commit.dropped),
        flat(commit.values),
        pages,
        removed_pages,
        flat(commit.opens),
        sorted(commit.closes),
        sorted(commit.acknowledged),
        flat(commit.actions),
        _queued_arguments(commit.queued),
        _claim_arguments(commit.claim),
        _let_go_arguments(commit),
        _taken_arguments(commit),
        _history_arguments(commit),
    ):
        arguments.append(len(members))
        arguments.extend(members)
    return arguments


def append_arguments(run: str, entries: Sequence[Entry]) -> list[Argument]:
    """Return what `append.lua` is given of the entries of one run."""
    arguments: list[Argument] = [run, len(entries)]
    for entry in entries:
        arguments += (entry.task, int(entry.final), entry.binding, entry.digest, entry.body, len(entry.values))
        arguments += flat(entry.values)
    return arguments


def _kept_and_removed(changes: Mapping[str, bytes | None]) -> tuple[list[Argument], list[Argument]]:
    kept = flat({name: body for name, body in changes.items() if body is not None})
    return kept, [name for name, body in changes.items() if body is None]


def _queued_arguments(queued: Mapping[str, Sequence[Sequence[str]]]) -> list[Argument]:
    arguments: list[Argument] = []
    for pool, chunks in queued.items():
        if not chunks:
            continue
        arguments += (pool, sum(map(len, chunks)), len(chunks))
        arguments += map(" ".join, chunks)
    return arguments


def _claim_arguments(claim: Claim | None) -> list[Argument]:
    if claim is None:
        return []
    return [int(claim.shared), claim.keep_ms, claim.body, *([claim.document] if claim.document is not None else [])]


def _let_go_arguments(commit: Commit) -> list[Argument]:
    names = [stored_name(name) for name, path in commit.correlations.items() if path is None]
    return [commit.closed_kept_ms, *names] if names else []


def _taken_arguments(commit: Commit) -> list[Argument]:
    arguments: list[Argument] = []
    for name, path in commit.correlations.items():
        if path is not None:
            arguments += (stored_name(name), path, int(name in commit.passed_on))
    return arguments


def _history_arguments(commit: Commit) -> list[Argument]:
    """Return how many entries there are, how many are kept, and those that are."""
    kept = commit.history[-commit.history_kept :]
    return [len(commit.history), commit.history_kept, *kept] if commit.history else []


def refuse(commit: Commit, answer: str, details: Sequence[bytes]) -> NoReturn:
    """Raise what `commit.lua` answered."""
    told = [detail.decode(errors="surrogatepass") for detail in details]
    match answer, told:
        case "old-epoch", [epoch]:
            raise OldEpoch(f"run {commit.run}: epoch {commit.epoch} was replaced by {epoch}")
        case "stale-revision", [revision]:
            raise StaleRevision(f"run {commit.run}: decided on revision {commit.revision}, stored is {revision}")
        case "inbox-ahead", [task]:
            raise InboxAhead(f"run {commit.run}: the inbox holds an entry for task {task}, which this would close")
        case "key-taken", [run]:
            assert commit.claim is not None
            raise KeyTaken(f"run {commit.run}: run {run} holds the claim {commit.claim.name}")
        case "correlation-taken", names:
            raise CorrelationTaken(commit.run, names)
        case _:
            raise AssertionError(f"commit.lua answered {answer!r} {told}, which nobody expects")
