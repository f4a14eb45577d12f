"""What a pass raises where the store does not have what the state of a run refers to."""


class ValueLost(Exception):
    """A document that the state refers to is not in the store: state was lost."""
