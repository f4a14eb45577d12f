"""A stand-in for the client of a container engine, for machines without one: it runs commands as plain processes.

It speaks the words the launcher uses (info, create, start, inspect, stop, rm), keeps containers as files in the folder
DOUBLE_STATE, and puts the outside of a mount wherever a variable or an argument names its inside. An image `absent`
cannot be pulled; DOUBLE_AWAY means that the daemon does not answer, DOUBLE_HANGS that `info` never ends; with
DOUBLE_SLOW_RM the first `rm` never ends.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

STATE = Path(os.environ["DOUBLE_STATE"])


def main(words: list[str]) -> int:
    with (STATE / "log").open("a") as log:
        log.write(json.dumps(words) + "\n")
    if "DOUBLE_AWAY" in os.environ:
        print("Cannot connect to the Docker daemon", file=sys.stderr)
        return 1
    match words:
        case ["info", *_]:
            if "DOUBLE_HANGS" in os.environ:
                signal.pause()
            print("id")
            return 0
        case ["create", *rest]:
            return create(rest)
        case ["start", "--attach", name]:
            return start(name)
        case ["inspect", "--format", "{{json .State}}", name]:
            return inspect(name)
        case ["stop", "--time", seconds, name]:
            return stop(name, float(seconds))
        case ["rm", "--force", name]:
            if "DOUBLE_SLOW_RM" in os.environ and not (STATE / "removing").exists():
                (STATE / "removing").touch()
                signal.pause()
            stop(name, 0)
            file_of(name).unlink(missing_ok=True)
            return 0
    print(f"unknown command: {words}", file=sys.stderr)
    return 125


def create(words: list[str]) -> int:
    options: dict[str, list[str]] = {}
    while words[0].startswith("--"):
        options.setdefault(words.pop(0), []).append(words.pop(0))
    image, *arguments = words
    name = options["--name"][0]
    if file_of(name).exists():
        print(f'Error response from daemon: Conflict. The container name "/{name}" is already in use', file=sys.stderr)
        return 1
    if image == "absent":
        print("Error response from daemon: pull access denied for absent", file=sys.stderr)
        return 1
    variables = {}
    for pair in options.get("--env", []):
        key, equals, text = pair.partition("=")
        variables[key] = text if equals else os.environ[key]
    volumes = [volume.removesuffix(":ro").split(":") for volume in options.get("--volume", [])]
    mounts = {inside: real for real, inside in volumes}

    def outside(text: str) -> str:
        return re.sub("|".join(map(re.escape, mounts)), lambda found: mounts[found.group()], text)

    save(
        name,
        {
            "command": [outside(word) for word in [*options.get("--entrypoint", []), *arguments]],
            "env": {key: outside(text) for key, text in variables.items()},
            "workdir": options.get("--workdir", ["/"])[0],
            "state": {"Running": False, "ExitCode": 0, "Error": "", "OOMKilled": False},
        },
    )
    return 0


def start(name: str) -> int:
    found = load(name)
    environment = {"PATH": os.environ["PATH"], **found["env"]}
    try:
        process = subprocess.Popen(found["command"], env=environment, cwd=found["workdir"], start_new_session=True)
    except OSError as problem:
        found["state"] |= {"ExitCode": 127, "Error": f"exec: {problem}"}
        save(name, found)
        return 127
    found["state"] |= {"Running": True}
    save(name, found | {"pid": process.pid})
    code = process.wait()
    found["state"] |= {"Running": False, "ExitCode": 128 - code if code < 0 else code}
    if file_of(name).exists():
        save(name, found)
    return int(found["state"]["ExitCode"])


def inspect(name: str) -> int:
    if not file_of(name).exists():
        print(f"Error: No such object: {name}", file=sys.stderr)
        return 1
    print(json.dumps(load(name)["state"]))
    return 0


def stop(name: str, seconds: float) -> int:
    if not file_of(name).exists():
        return 1
    pid = load(name).get("pid")
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM if seconds else signal.SIGKILL)
    return 0


def file_of(name: str) -> Path:
    return STATE / f"{name}.json"


def load(name: str) -> Any:
    return json.loads(file_of(name).read_text())


def save(name: str, found: Any) -> None:
    new = file_of(name).with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(found))
    new.replace(file_of(name))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
