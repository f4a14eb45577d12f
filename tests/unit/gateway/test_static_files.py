"""The dashboard's files: to anybody, with the headers that keep a page to itself, and no other file."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from reactor_operator.gateway.static_files import PAGE_HEADERS, StaticFiles

INDEX = b"<!doctype html><title>Reactor</title>"
SCRIPT = b"console.log('reactor');" * 200


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(INDEX)
    (folder / "icon.svg").write_text("<svg/>")
    (folder / "assets" / "index-4fe2.js").write_bytes(SCRIPT)
    (folder / "assets" / "font-1.woff2").write_bytes(b"\0" * 2_000)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / ".built-1").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Starlette(routes=StaticFiles(folder).routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/dashboard"])
async def test_who_comes_without_an_address_is_sent_to_the_dashboard(built: Path, path: str) -> None:
    async with served(built) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (307, "/dashboard/")


@pytest.mark.parametrize("path", ["", "index.html", "runs/shop/order-1", "runs/shop/order.v2", "inbox"])
async def test_every_address_that_is_no_file_is_the_page_and_asked_for_anew_each_time(built: Path, path: str) -> None:
    async with served(built) as client:
        answer = await client.get(f"/dashboard/{path}")
    assert (answer.status_code, answer.content) == (200, INDEX)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


async def test_files_with_a_hash_in_their_name_are_kept_for_good_and_sent_packed(built: Path) -> None:
    async with served(built) as client:
        async with client.stream("GET", "/dashboard/assets/index-4fe2.js") as answer:
            raw = b"".join([part async for part in answer.aiter_raw()])
        plain = await client.get("/dashboard/assets/index-4fe2.js", headers={"Accept-Encoding": "identity"})
        font = await client.get("/dashboard/assets/font-1.woff2")
    assert gzip.decompress(raw) == plain.content == SCRIPT
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (answer.headers["content-type"], answer.headers["vary"]) == (
        "text/javascript; charset=utf-8",
        "Accept-Encoding",
    )
    assert "content-encoding" not in plain.headers
    assert ("content-encoding" in font.headers, font.headers["content-type"]) == (False, "font/woff2")


async def test_what_a_browser_has_is_not_sent_again(built: Path) -> None:
    async with served(built) as client:
        tag = (await client.get("/dashboard/")).headers["etag"]
        again = await client.get("/dashboard/", headers={"If-None-Match": f'W/"other", {tag}'})
        changed = await client.get("/dashboard/", headers={"If-None-Match": '"other"'})
    assert (again.status_code, again.content, changed.status_code) == (304, b"", 200)


@pytest.mark.parametrize(
    "path",
    ["/dashboard/", "/", "/dashboard/assets/index-4fe2.js", "/dashboard/assets/none.js", "/dashboard/icon.svg"],
)
async def test_every_answer_keeps_the_page_to_itself(built: Path, path: str) -> None:
    async with served(built) as client:
        answer = await client.get(path)
    assert {name: answer.headers[name] for name in PAGE_HEADERS} == PAGE_HEADERS
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
    assert (policy["frame-ancestors"], policy["base-uri"], policy["form-action"]) == ("'none'",) * 3
    assert not [part for part in policy.values() if "unsafe" in part or "*" in part]
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "%2e%2e/secret.txt",
        "%2e%2e%2fsecret.txt",
        "..%5csecret.txt",
        "link.txt",
        ".built-1",
        "/etc/passwd",
    ],
)
async def test_no_address_leads_out_of_the_folder(built: Path, path: str) -> None:
    async with served(built) as client:
        answer = await client.get(f"/dashboard/{path}")
    assert "secret" not in answer.text
    assert answer.status_code in (200, 404)


async def test_a_hashed_file_of_another_build_is_not_there(built: Path) -> None:
    async with served(built) as client:
        answer = await client.get("/dashboard/assets/index-old.js")
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")


async def test_only_to_be_read(built: Path) -> None:
    async with served(built) as client:
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert (await client.request(method, "/dashboard/")).status_code == 405


async def test_without_built_files_it_says_how_they_are_built(tmp_path: Path) -> None:
    async with served(tmp_path / "none") as client:
        for path in ("/dashboard/", "/dashboard/runs"):
            answer = await client.get(path)
            assert (answer.status_code, "make dashboard" in answer.text) == (404, True)
