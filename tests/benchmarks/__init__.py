"""What the product costs, measured: `python -m tests.benchmarks` prints one table. Not tests: no figure fails a run."""
