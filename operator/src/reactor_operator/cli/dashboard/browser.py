"""The browser of whoever sits before this machine.

In: an address. Out: nothing. Never here: a wait for it, or a failure where there is none: the address is printed too.
"""

import os
import sys
import threading
import webbrowser

_HEADLESS = sys.platform.startswith("linux")


def open_browser(address: str) -> None:
    """Open an address, where there is a screen."""
    if _HEADLESS and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
