"""What holds for all tests: an example of Hypothesis may take as long as a busy machine makes it.

With CI set, examples are the same each time: a change is judged by what it did, not by luck. Everywhere else they are
new in each run, and what they find is a test to write. Mutants (`make mutants`) meet the same examples each time too,
and the first that fails is enough: nobody reads a smaller one.
"""

import os

from hypothesis import HealthCheck, Phase, settings

settings.register_profile("reactor", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.register_profile(
    "mutants",
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("reactor")
