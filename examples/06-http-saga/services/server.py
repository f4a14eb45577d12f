"""A shop, a bank and a courier as one small HTTP service, to try sagas against. Standard library only.

    python3 server.py [--host 127.0.0.1] [--port 8080]

POST   /reservations          {"order", "quantity"}      201 {"id", "amount"}
DELETE /reservations/ID                                  204
POST   /charges               {"order", "amount", "card"}  201 {"id", "amount"} · 402 the card is declined
DELETE /charges/ID                                       204 refunded
POST   /shipments             {"order", "city"}          201 {"id", "tracking"} · 422 nobody goes there
                                                         503 with Retry-After, once: in Lakeside the courier is busy
DELETE /shipments/ID                                     204
POST   /cancellations                                    204 what was done under the Reactor-Forward-Key is reversed;
                                                         what comes with that key later is refused with 409
GET    /ledger                                           200 what stands: what was done and not reversed

Every POST is idempotent: a second one with the same Idempotency-Key gets the answer of the first, and nothing is done.
"""

import argparse
import contextlib
import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PRICE = 2500
Answer = tuple[HTTPStatus, Any]


class Refused(Exception):
    """A request is answered with a status that is no success."""

    def __init__(self, status: HTTPStatus, why: str, retry_after: int = 0) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.retry_after = retry_after


class Books:
    """What was done: by path what stands, by idempotency key what was answered, and the keys that were cancelled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.standing: dict[str, Any] = {}
        self.done: dict[str, str] = {}
        self.answers: dict[str, Answer] = {}
        self.met: set[str] = set()
        self.cancelled: set[str] = set()

    def post(self, path: str, key: str, forward_key: str, told: dict[str, Any]) -> Answer:
        """Do what a POST asks for, or repeat what was answered before. Raises Refused."""
        if key in self.cancelled:  # the cancellation may overtake the request that it cancels
            raise Refused(HTTPStatus.CONFLICT, "this request was cancelled")
        if key in self.answers:
            return self.answers[key]
        if path == "/cancellations":
            if forward_key:
                self.cancelled.add(forward_key)
            self.standing.pop(self.done.get(forward_key, ""), None)
            answer: Answer = HTTPStatus.NO_CONTENT, None
        else:
            made = self._make(path, key, told)
            made["id"] = f"{path[1]}-{len(self.done) + 1}"
            self.done[key] = f"{path}/{made['id']}"
            self.standing[self.done[key]] = {**told, **made}
            answer = HTTPStatus.CREATED, made
        self.answers[key] = answer
        return answer

    def _make(self, path: str, key: str, told: dict[str, Any]) -> dict[str, Any]:
        match path:
            case "/reservations":
                return {"amount": PRICE * told["quantity"]}
            case "/charges":
                if told["card"].startswith("0000"):
                    raise Refused(HTTPStatus.PAYMENT_REQUIRED, "the card is declined: insufficient funds")
                return {"amount": told["amount"]}
            case "/shipments":
                if told["city"] == "Stormhaven":
                    raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "no courier goes to Stormhaven")
                if told["city"] == "Lakeside" and key not in self.met:
                    self.met.add(key)
                    raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the courier is busy, ask again", retry_after=1)
                return {"tracking": f"track-{told['order']}"}
        raise Refused(HTTPStatus.NOT_FOUND, f"there is no {path}")

    def delete(self, path: str) -> None:
        """Reverse what stands at a path. Raises Refused."""
        if path not in self.standing:
            raise Refused(HTTPStatus.NOT_FOUND, f"nothing stands at {path}")
        del self.standing[path]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    books = Books()

    def do_GET(self) -> None:
        """Show the ledger, or that the service lives."""
        with self.books.lock:
            self._send(HTTPStatus.OK, dict(self.books.standing) if self.path == "/ledger" else {"serving": True})

    def do_POST(self) -> None:
        """Do something, once."""
        told = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
        key, forward_key = self.headers.get("Idempotency-Key", ""), self.headers.get("Reactor-Forward-Key", "")
        with self.books.lock:
            try:
                self._send(*self.books.post(self.path, key, forward_key, told))
            except Refused as refused:
                self._refuse(refused)
            except (KeyError, TypeError, AttributeError) as problem:
                self._refuse(Refused(HTTPStatus.BAD_REQUEST, f"found {told}, which lacks something: {problem}"))

    def do_DELETE(self) -> None:
        """Take something back."""
        with self.books.lock:
            try:
                self.books.delete(self.path)
                self._send(HTTPStatus.NO_CONTENT, None)
            except Refused as refused:
                self._refuse(refused)

    def _refuse(self, refused: Refused) -> None:
        headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after else {}
        self._send(refused.status, {"error": refused.why}, **headers)

    def _send(self, status: HTTPStatus, document: Any, **headers: str) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until interrupted."""
    options = argparse.ArgumentParser(description="A shop, a bank and a courier.")
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8080, help="0: one that is free")
    said = options.parse_args()
    with ThreadingHTTPServer((said.host, said.port), Handler) as server:
        print(f"http://{said.host}:{server.server_address[1]}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
