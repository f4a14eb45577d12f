"""A receiver of notifications that trusts nobody: signature first, then age, then whether it came before.

    REACTOR_SIGNING_KEY_AUDIT=… python3 receiver.py [--host 127.0.0.1] [--port 8087]

POST /events   204 taken, or known already · 401 not signed with our key, or too old · 400 no CloudEvent
GET  /events   200 what was taken, in order

Standard library only. What it does with a signature is all there is to it; docs/notifications.md says it in words.
"""

import argparse
import contextlib
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

OLDEST_SECONDS = 300
LARGEST_BODY = 65_536
KEY = os.environ.get("REACTOR_SIGNING_KEY_AUDIT", "").encode()


def is_ours(header: str, body: bytes, now: float) -> bool:
    """Tell whether the header is `t=SECONDS,v1=HEX`, was made with our key over `SECONDS.BODY`, and is not old."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    sent = parts.get("t", "")
    if not sent.isdecimal() or abs(now - int(sent)) > OLDEST_SECONDS:
        return False
    wanted = hmac.new(KEY, sent.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), parts.get("v1", "").encode())


class Handler(BaseHTTPRequestHandler):
    """Takes events, each once."""

    taken: dict[str, Any] = {}  # noqa: RUF012 - the same for all requests

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length", "0")), LARGEST_BODY)
        body = self.rfile.read(length)
        if not is_ours(self.headers.get("Reactor-Signature", ""), body, time.time()):
            self.send_error(401, "not signed with our key, or too old")
            return
        try:
            event = json.loads(body)
            name, kind = event["id"], event["type"]
        except (ValueError, TypeError, KeyError):
            self.send_error(400, "no CloudEvent")
            return
        if name not in self.taken:  # an event may come more than once
            self.taken[name] = event
            print(event["time"], kind, event["subject"], event["data"].get("failure", ""), flush=True)
        self.send_response(204)
        self.end_headers()

    def do_GET(self) -> None:
        body = json.dumps(list(self.taken.values()), indent=1).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    """Serve until interrupted."""
    options = argparse.ArgumentParser(description="A receiver of notifications.")
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8087, help="0: one that is free")
    said = options.parse_args()
    if not KEY:
        options.error("set REACTOR_SIGNING_KEY_AUDIT to the key that signs")
    with HTTPServer((said.host, said.port), Handler) as server:
        print(f"http://{said.host}:{server.server_address[1]}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
