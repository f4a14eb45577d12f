"""The rows that need a cluster with the chart on it."""
