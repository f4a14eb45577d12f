"""`python -m reactor_operator operator | gateway`: the two components, told what they need by their environment.

In: a word, the environment, SIGTERM. Out: an exit code: 0 told to stop · 1 a part of it ended by itself · 2 the command
line or the environment is wrong. Never here: work; and the process never goes on without one of its parts.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine

USAGE = "usage: python -m reactor_operator operator|gateway"
Listen = Callable[[], None]
Component = Callable[[asyncio.Event, Listen], Coroutine[None, None, None]]


def main(words: list[str]) -> int:
    """Run a component and return the exit code."""
    if words not in (["operator"], ["gateway"]):
        print(USAGE, file=sys.stderr)
        return 2
    from reactor_operator.settings import BadSettings, load_gateway_settings, load_operator_settings

    try:
        component: Component
        if words == ["operator"]:
            operator_settings = load_operator_settings(os.environ)
            level = operator_settings.shared.log_level

            def component(stop: asyncio.Event, listen: Listen) -> Coroutine[None, None, None]:
                from reactor_operator.running.operator import run_operator

                return run_operator(operator_settings, stop, listen)
        else:
            gateway_settings = load_gateway_settings(os.environ)
            level = gateway_settings.log_level

            def component(stop: asyncio.Event, _: Listen) -> Coroutine[None, None, None]:
                from reactor_operator.running.gateway import run_gateway

                return run_gateway(gateway_settings, stop)
    except BadSettings as problem:
        print(f"the environment of the {words[0]} is not usable:", *problem.problems, sep="\n  ", file=sys.stderr)
        return 2
    return run(component, level)


_COLLECT_AFTER = 20_000


def run(component: Component, log_level: str) -> int:
    """Run a component until it is told to stop, and return the exit code."""
    import structlog
    import uvloop

    from reactor_operator.running.logs import configure_logs

    configure_logs(log_level)
    # What is imported by now stays: it is not looked through for garbage again. JSON makes many objects and few cycles.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    log = structlog.get_logger("reactor_operator")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_told(component))
    except Exception as problem:
        log.error("a part of the process ended by itself; the process ends", exc_info=problem)
        return 1
    return 0


async def _until_told(component: Component) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def listen() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)

    listen()
    await component(stop, listen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
