"""What a browser loads: little, from nowhere else, and of the shapes that the gateway answers."""

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import expect

from reactor_operator.gateway.api.openapi import openapi_document
from reactor_operator.gateway.static_files import BUILT
from tests.ui.conftest import Open
from tests.ui.stage import Stage

MOST_BYTES = 350 * 1024


@pytest.mark.asyncio(loop_scope="session")
async def test_the_first_load_is_small_and_all_of_it_is_ours(shop: Stage, look: Open) -> None:
    page = await look(shop, "/dashboard/nowhere")
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    await page.goto(shop.url + "/dashboard/runs")
    await expect(page.get_by_role("link", name="order-refused")).to_be_visible()
    assert [url for url in loaded if not url.startswith(shop.url)] == []
    files = [url.removeprefix(shop.url + "/dashboard/") for url in loaded if "/assets/" in url]
    assert sum(len(gzip.compress((BUILT / file).read_bytes())) for file in files) <= MOST_BYTES
    assert not [file for file in files if "elk" in file], "what lays graphs out is loaded with the first graph"


def test_no_file_brings_a_script_or_style_of_its_own() -> None:
    index = (BUILT / "index.html").read_text()
    assert "<style" not in index
    assert "<script>" not in index
    assert "http://" not in index
    assert "https://" not in index


def test_the_types_are_those_of_the_gateways_document(tmp_path: Path) -> None:
    document, made = tmp_path / "openapi.json", tmp_path / "schema.d.ts"
    document.write_text(json.dumps(openapi_document("0")))
    npx = shutil.which("npx")
    assert npx is not None, "found no npx, expected Node: requirements/system-packages ui"
    flags = ("--default-non-nullable", "false", "-o", str(made))
    command = (npx, "--no-install", "openapi-typescript", str(document), *flags)
    subprocess.run(command, cwd="dashboard", check=True, capture_output=True, timeout=50)
    kept = Path("dashboard/src/api/schema.d.ts").read_text()
    assert made.read_text() == kept, (
        "dashboard/src/api/schema.d.ts is not what the gateway answers: make dashboard-types"
    )
