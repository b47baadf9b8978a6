"""How the files of the first page are served, and that they keep to what the policy allows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.house import House
from api.routes.page import HOME
from data.store import Store
from recommender.bundle import Bundle

FILES = sorted(path.name for path in HOME.iterdir())


@pytest.fixture
def client(small_bundle: Bundle, tmp_path: Path) -> Iterator[TestClient]:
    store = Store.open(f"sqlite:///{tmp_path / 'facts.db'}")
    with TestClient(create_app(House(small_bundle, None, store))) as made:
        yield made


def test_the_page_is_at_the_root(client: TestClient) -> None:
    answer = client.get("/", follow_redirects=False)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert client.head("/").status_code == 200


def test_every_file_the_page_names_is_served_with_its_kind(client: TestClient) -> None:
    named = set(re.findall(r'"(static/[^"]+)"', client.get("/").text))
    for name in FILES:
        if name.endswith(".js"):
            imported = re.findall(r'from "\./([^"]+)"', (HOME / name).read_text())
            named |= {f"static/{one}" for one in imported}
    assert {f"static/{name}" for name in FILES} == named | {"static/index.html"}
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    for name in named:
        answer = client.get(f"/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kinds[name.rpartition(".")[2]])


def test_what_a_browser_has_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/static/main.js")
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = client.get("/static/main.js", headers={"If-None-Match": known})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == tag
    assert client.get("/static/main.js", headers={"If-None-Match": '"old"'}).status_code == 200


@pytest.mark.parametrize(
    "name",
    ["nothing.js", "..%2fapp.py", "%2e%2e/app.py", "..%5capp.py", "main.js%20", "", "MAIN.JS"],
)
def test_no_other_file_can_be_asked_for(client: TestClient, name: str) -> None:
    answer = client.get(f"/static/{name}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "NOT_FOUND"


@pytest.mark.parametrize("name", FILES)
def test_the_files_keep_to_what_the_policy_allows(name: str) -> None:
    """No inline script or style, nothing made from strings of HTML, nothing from elsewhere."""
    text = (HOME / name).read_text()
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert forbidden not in text
    addresses = set(re.findall(r"https?://[^\s\"')]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    if name.endswith(".html"):
        assert not re.search(r"\sstyle=|\son\w+=|<style", text)
        assert not re.search(r"<script(?![^>]* src=)", text)
