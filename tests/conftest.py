"""What holds for all tests: an example of Hypothesis may take as long as a busy machine makes it.

With CI set, examples are the same each time: a change is judged by what it did, not by luck. Everywhere else they are
new in each run, and what they find is a test to write.
"""

import os

from hypothesis import settings

settings.register_profile("reactor", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("reactor")
