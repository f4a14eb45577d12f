"""Whether two runs with one business key have the same inputs, told by digests alone.

In: inputs with their defaults, the keys of the installation. Out: the digest that a claim keeps, and all that would
tell the same inputs. Never here: a digest of sensitive inputs that could be guessed from, in anything that is stored.
"""

import orjson

from reactor_operator.api.digest import digest_spec
from reactor_operator.encryption import Keyring


def kept_digest(inputs: object, keys: Keyring, *, sensitive: bool) -> str:
    """Return what tells inputs apart; of `sensitive` ones it tells nothing else."""
    return keys.mac(_written(inputs)) if sensitive else _plain(inputs)


def same_digests(inputs: object, keys: Keyring) -> frozenset[str]:
    """Return every digest of these inputs that a claim may have: keys are rotated, and a Reactor may say by now that an
    input is sensitive, or no longer. For comparing only."""
    return frozenset({_plain(inputs), *keys.macs(_written(inputs))})


def _plain(inputs: object) -> str:
    return digest_spec({"inputs": inputs})


def _written(inputs: object) -> bytes:
    return orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS)
