"""The signature of a request: proof that it comes from this installation, and when it was sent.

In: names of keys, bodies. Out: keys from a folder or the environment, and the header `Reactor-Signature`.
Never here: a key in a message.

The header is `t=SECONDS,v1=HEX`: the second in which the request was sent, and HMAC-SHA256 over that number as it is
written, a dot, and the body. Each attempt is signed anew, so a receiver may refuse what is older than a few minutes.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reactor_operator.named_keys import KeyUnusable, long_enough, read_key

HEADER = "Reactor-Signature"
VARIABLE_PREFIX = "REACTOR_SIGNING_KEY_"
FOLDER_VARIABLE = "REACTOR_SIGNING_KEYS"
_KIND = "signing key"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeys:
    """Where keys are: files of a folder by name, else variables `REACTOR_SIGNING_KEY_NAME`. Read each time anew, so a
    key that is replaced takes effect at once."""

    folder: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    by_variable: bool = False

    @classmethod
    def of_laptop(cls, environment: Mapping[str, str]) -> "SigningKeys":
        """Return the keys of `reactor run`: those of the folder that REACTOR_SIGNING_KEYS names, and variables."""
        folder = environment.get(FOLDER_VARIABLE)
        named = {name: text for name, text in environment.items() if name.startswith(VARIABLE_PREFIX)}
        return cls(folder=Path(folder) if folder else None, variables=named, by_variable=True)

    def find(self, name: str) -> bytes:
        """Return a key. A line end after it is not part of it. Raises KeyUnusable."""
        return long_enough(self._read(name), name, _KIND)

    def _read(self, name: str) -> bytes:
        variable = VARIABLE_PREFIX + name.upper().replace("-", "_")
        if self.folder is not None and (key := read_key(self.folder, name, _KIND)) is not None:
            return key
        if variable in self.variables:
            return self.variables[variable].encode("utf-8", "surrogateescape").rstrip(b"\r\n")
        if self.by_variable:
            wanted = f"set {variable}, or {FOLDER_VARIABLE} to a folder with a file of that name"
        else:
            wanted = f"add a key '{name}' to the Secret that the chart's value signingKeys.existingSecret names"
        raise KeyUnusable(f"there is no signing key '{name}': {wanted}")


def sign(key: bytes, body: bytes, second: int) -> str:
    """Return the value of the header for a body that is sent at `second` (since the epoch)."""
    signed = f"{second}.".encode() + body
    return f"t={second},v1={hmac.new(key, signed, hashlib.sha256).hexdigest()}"
