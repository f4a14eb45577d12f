"""A pool of real processes without a cluster: operator, gateway, worker, Redis."""
