"""Reactor Operator: sagas on Kubernetes, declared as resources."""
