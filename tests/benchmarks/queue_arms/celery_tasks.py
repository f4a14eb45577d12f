"""Tasks that do nothing, done by workers of Celery; run as a program: enqueue them, and read every result.

In: `REDIS`, and how many. Out: one line of JSON on stdout. Runs in an environment that the benchmark makes for it.
"""

import json
import os
import sys
from time import perf_counter

from celery import Celery, group

app = Celery("celery_tasks", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
app.conf.update(worker_prefetch_multiplier=64, task_ignore_result=False)


@app.task
def nothing(row):
    """Do nothing."""


def main(count):
    """Wait for a worker, then measure."""
    nothing.delay(-1).get(timeout=60)
    began = perf_counter()
    group(nothing.s(number) for number in range(count)).apply_async().join_native(timeout=600)
    print(json.dumps({"seconds": perf_counter() - began}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
