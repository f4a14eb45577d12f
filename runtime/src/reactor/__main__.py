"""`python -m reactor`: the agent of a Python pod. With a word after it: a helper container, or the laptop's worker.

fetch [NAME …]   before a container: documents into /reactor
output PATH      beside a container: its output file to the gateway
worker           on a laptop: tasks one after another, told over pipes
pool             in a pod of a pool: leases tasks, and does them in child processes (pool-child)
"""

import sys


def main(words: list[str]) -> int:
    """Do what the command line says and return the exit code."""
    if not words:
        from reactor.agent import run_agent

        return run_agent()
    if words[0] == "fetch":
        from reactor.fetch import run_fetch

        return run_fetch(words[1:])
    if words[0] == "output" and len(words) == 2:
        from reactor.output import run_output

        return run_output(words[1])
    if words == ["worker"]:
        from reactor.worker import run_worker

        return run_worker()
    if words == ["pool"]:
        from reactor.pool.parent import run_pool

        return run_pool()
    if words[0] == "pool-child" and len(words) == 3:
        from reactor.pool.child import run_child

        return run_child(words[1:])
    print(f"reactor: {' '.join(words)!r} is not understood\n\n{__doc__}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, write_through=True, errors="backslashreplace")  # type: ignore[union-attr]
    exit_code = main(sys.argv[1:])
    from reactor.agent import end

    end(exit_code)
