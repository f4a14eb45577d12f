"""Tasks that do nothing, done by workers of Dramatiq; run as a program: enqueue them, and read every result.

In: `REDIS`, and how many. Out: one line of JSON on stdout. Runs in an environment that the benchmark makes for it.
"""

import json
import os
import sys
from time import perf_counter

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

broker = RedisBroker(url=os.environ["REDIS"])
broker.add_middleware(Results(backend=RedisBackend(url=os.environ["REDIS"])))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True)
def nothing(row):
    """Do nothing."""


def main(count):
    """Wait for a worker, then measure."""
    nothing.send(-1).get_result(block=True, timeout=60_000)
    began = perf_counter()
    messages = [nothing.send(number) for number in range(count)]
    for message in messages:
        message.get_result(block=True, timeout=600_000)
    print(json.dumps({"seconds": perf_counter() - began}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
