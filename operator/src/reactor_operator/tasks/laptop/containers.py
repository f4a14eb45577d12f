"""A container task on the laptop: created, started, read and removed by docker or podman.

In: a `TaskOrder`. Out: its outcome, by the rules of `outcomes.exits`. Never here: the inbox; a container that is left
behind (`remove` is always the last word); inputs on a command line that a shell reads.

What a pod would get, and a laptop does not give: volumes, resources, security contexts. A container that mounts volumes
is refused.
"""

import errno
import os
import stat
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import orjson

from reactor_operator.api.actions import ActionSpec, ContainerAction, OutputFormat, PullPolicy
from reactor_operator.api.effective import effective
from reactor_operator.engine.events import Outcome, TaskFailed
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.identity import pod_name
from reactor_operator.outcomes.exits import (
    OUTPUT_LIMIT,
    ResultRule,
    failed_exit,
    kept_message,
    meaning_of_exit,
    memory_words,
    outcome_of_exit,
    outcome_of_upload,
)
from reactor_operator.ports import TaskOrder
from reactor_operator.tasks import manifest_env as env
from reactor_operator.tasks.laptop.engine import Engine
from reactor_operator.tasks.laptop.variables import Config, container_variables, expand
from reactor_operator.tasks.manifest_env import Unlaunchable

TERMINATION_LOG = "/dev/termination-log"
_PULL = {PullPolicy.ALWAYS: "always", PullPolicy.IF_NOT_PRESENT: "missing", PullPolicy.NEVER: "never"}
_LOG_LINES, _LOG_BYTES = 80, 2048
_OF_THE_CLIENT = frozenset({"PATH", "HOME", "USER", "TMPDIR", "LD_PRELOAD", "LD_LIBRARY_PATH"})

Values = Mapping[str, bytes]


@dataclass(slots=True)
class Container:
    """One container task: its name, its files on the laptop, and the last lines it printed."""

    order: TaskOrder
    action: ActionSpec
    engine: Engine
    folder: tempfile.TemporaryDirectory[str]
    name: str
    words: tuple[str, ...]
    variables: Mapping[str, str]
    result_path: str
    output: Path | None
    removed: bool = False
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LOG_LINES))

    async def create(self) -> Failure | None:
        """Make the container (its image is pulled where it must be); a failure where that cannot be done."""
        said = await self.engine.run("create", *self.words, variables=self.variables)
        if said.code != 0 and "already in use" in said.text:
            # The name is the task's own: a process that is no more made it, and did not come to its end.
            await self.engine.run("rm", "--force", self.name)
            said = await self.engine.run("create", *self.words, variables=self.variables)
        if said.code == 0:
            return None
        return _cannot_start(self.order, f"{Path(self.engine.path).name} cannot create its container: {said.text}")

    async def run(self, on_line: Callable[[str], None]) -> tuple[Outcome, Values]:
        """Start the container, wait for its end, and return what it did."""

        def take(line: str) -> None:
            self.last_lines.append(line)
            on_line(line)

        await self.engine.spawn(["start", "--attach", self.name], take).complete()
        said = await self.engine.run("inspect", "--format", "{{json .State}}", self.name)
        return self._read(_state(said.lines))

    async def stop(self, grace_seconds: float) -> None:
        """Ask the container to end; after `grace_seconds` the engine ends it."""
        await self.engine.run("stop", "--time", str(max(0, round(grace_seconds))), self.name)

    async def remove(self) -> None:
        """End the container if it still runs, and remove it and its files. Idempotent."""
        if self.removed:
            return
        try:
            await self.engine.run("rm", "--force", self.name)
            self.removed = True  # only now: who gives up in the middle of it has it done again by `close`
        finally:
            self.folder.cleanup()

    def _read(self, state: Mapping[str, object]) -> tuple[Outcome, Values]:
        task, code = self.order.task, state.get("ExitCode")
        if not isinstance(code, int) or state.get("Running") is True:
            words = "its container was removed, or the engine was stopped, before it ended"
            return TaskFailed(task=task, failure=_failure(FailureKind.NO_OUTCOME, words)), {}
        if state.get("Error"):
            return TaskFailed(task=task, failure=_cannot_start(self.order, str(state["Error"]))), {}
        if state.get("OOMKilled") is True and code != 0:
            said = failed_exit(FailureKind.OUT_OF_MEMORY, memory_words(code), self._message(code))
            return said.event_of(task)
        rule = ResultRule(uploaded=self.output is not None, json_only=self._promises_json)
        outcome = outcome_of_exit(code, self._message(code), self.action.exit_codes, task.action, rule)
        if outcome.uploaded and self.output is not None:
            try:
                content = _read_output(self.output)
            except _NoFile as problem:
                words = f"{self.result_path}, where output.path expects the result, is {problem}, expected a plain file"
                return TaskFailed(task=task, failure=_failure(FailureKind.INVALID_RESULT, words)), {}
            outcome = outcome_of_upload(content, self.result_path, json_only=rule.json_only)
            if self.order.sensitive.result and outcome.failure is not None:  # its words may repeat the result
                words = f"the file {self.result_path} is not what output promises; it is sensitive and not shown"
                outcome = replace(outcome, failure=_failure(outcome.failure.kind, words))
        return outcome.event_of(task)

    @property
    def _promises_json(self) -> bool:
        said = self.action.container.output if self.action.container is not None else None
        return said is not None and said.format is OutputFormat.JSON

    def _message(self, code: int) -> str:
        """Return the termination message; after an error without one, the last log lines (as kubelet does)."""
        message = (Path(self.folder.name) / "termination-log").read_bytes()[: 4 * 1024].decode("utf-8", "replace")
        if told := self.order.sensitive:  # as on a cluster, where the log is not read either
            meaning = meaning_of_exit(code, self.action.exit_codes, self.order.task.action)
            return kept_message(message, meaning, sensitive=True, hides_result=told.result)
        if message or code == 0:
            return message
        return "\n".join(self.last_lines).encode()[-_LOG_BYTES:].decode("utf-8", "replace")


def prepare(order: TaskOrder, action: ActionSpec, engine: Engine, config: Config) -> Container:
    """Render the container of a task and write the files that it reads. Raises Unlaunchable."""
    container = action.container
    if container is None:
        raise AssertionError(f"step {order.step.name!r}: {order.task.action} is no container")
    chosen = effective(order.spec, order.step, action)
    if chosen.volume_mounts:
        raise Unlaunchable(
            FailureKind.CANNOT_START,
            f"step {order.task.path!r}: its container mounts volumes, which a laptop does not have; use a cluster",
        )
    path = container.output.path if container.output is not None else None
    variables = container_variables(order, action, chosen, path or TERMINATION_LOG, config)
    folder = tempfile.TemporaryDirectory(prefix="reactor-", ignore_cleanup_errors=True)
    files = Path(folder.name)
    name = pod_name(order.run.name, order.run.uid, order.task)
    mounts, output = _mounts(order, files, path)
    return Container(
        order=order,
        action=action,
        engine=engine,
        folder=folder,
        name=name,
        words=_create_words(container, name, mounts, variables),
        variables={key: text for key, text in variables.items() if not _clashes(key)},
        result_path=path or TERMINATION_LOG,
        output=output,
    )


def _mounts(order: TaskOrder, files: Path, output_path: str | None) -> tuple[dict[str, str], Path | None]:
    """Return what is mounted, by path in the container, and where the output file will be on the laptop."""
    termination = files / "termination-log"
    termination.touch()
    termination.chmod(0o666)  # whatever user the image runs as
    mounts = {TERMINATION_LOG: str(termination)}
    large = env.large_documents(order)
    if large:
        documents = files / "reactor"
        documents.mkdir()
        for document in large:
            (documents / f"{document}.json").write_bytes(env.documents_of(order)[document])
        mounts["/reactor:ro"] = str(documents)
    if output_path is None:
        return mounts, None
    inside = PurePosixPath(output_path)
    if str(inside.parent) == "/":
        raise Unlaunchable(
            FailureKind.CANNOT_START,
            f"step {order.task.path!r}: output.path is {output_path!r}, expected a file in a folder other than /, such "
            "as /output/result.json (an empty volume is mounted over the folder)",
        )
    outside = files / "output"
    outside.mkdir()
    outside.chmod(0o777)
    mounts[str(inside.parent)] = str(outside)
    return mounts, outside / inside.name


def _create_words(
    container: ContainerAction, name: str, mounts: Mapping[str, str], variables: Mapping[str, str]
) -> tuple[str, ...]:
    words = ["--name", name]
    for inside, outside in mounts.items():
        words += ["--volume", f"{outside}:{inside}"]
    for key, text in variables.items():
        # By name alone the client takes the text from its own environment: no secret is seen in a list of processes.
        words += ["--env", f"{key}={text}" if _clashes(key) else key]
    if container.image_pull_policy is not None:
        words += ["--pull", _PULL[container.image_pull_policy]]
    if container.working_dir is not None:
        words += ["--workdir", container.working_dir]
    command = [expand(word, variables) for word in container.command]
    arguments = [expand(word, variables) for word in container.args]
    if command:
        words += ["--entrypoint", command[0]]
    return (*words, container.image, *command[1:], *arguments)


def _clashes(variable: str) -> bool:
    """Whether the client itself reads this variable."""
    return variable in _OF_THE_CLIENT or variable.startswith(("DOCKER_", "CONTAINER", "XDG_", "BUILDAH_"))


class _NoFile(Exception):
    """What is at the place of an output file is something else; the message says what."""


def _read_output(path: Path) -> bytes | None:
    """Return what a container left, None where it left nothing. Raises _NoFile.

    The container may have made anything there: a link would be followed on this machine, a pipe would never end.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise _NoFile("a symbolic link") from None
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _NoFile("a folder, a pipe or a device")
    with open(descriptor, "rb") as file:
        return file.read(OUTPUT_LIMIT + 1)


def _state(lines: tuple[str, ...]) -> Mapping[str, object]:
    for line in lines:
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(found, dict):
            return found
    return {}


def _cannot_start(order: TaskOrder, message: str) -> Failure:
    return _failure(FailureKind.CANNOT_START, f"step {order.task.path!r}: {message}")


def _failure(kind: FailureKind, message: str) -> Failure:
    return Failure(kind=kind, message=render_message(message))
