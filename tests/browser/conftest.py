"""A real server and a real browser; what no test of the page may ever see is watched for all."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from api.app import create_app
from api.house import House
from data.dataset import Dataset
from data.store import Store
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.storage.model_folder import load, save

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

# The strictest policy that the page is promised to live under, whatever the server sends.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
HOSTILE = "<img src=x onerror=alert(1)>"
PATIENCE = 20.0


@dataclass(frozen=True)
class Served:
    """A running service: where it is, and what it serves."""

    url: str
    bundle: Bundle
    warm: str


def under_policy(app: Any) -> Callable[..., Any]:
    """Send the page with the policy."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start" and scope["path"] == "/":
                name = b"content-security-policy"
                kept = [pair for pair in message["headers"] if pair[0].lower() != name]
                message = {**message, "headers": [*kept, (name, POLICY.encode())]}
            await send(message)

        await app(scope, receive, sending)

    return wrapped


@pytest.fixture(scope="module")
def served(
    small_bundle: Bundle, small_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The small world behind HTTP; the best offer of its warm customer has a hostile title."""
    folder = tmp_path_factory.mktemp("page")
    save(small_bundle, folder / "model")
    bundle = load(folder / "model")
    warm = str(bundle.customers.ids[3])
    with_title = replace(bundle, offers=hostile(bundle, warm, small_dataset, folder))
    store = Store.open(f"sqlite:///{folder / 'facts.db'}")
    store.load(small_dataset)
    home = House(with_title, Service(with_title), store, at=bundle.moment)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    app = create_app(home)
    config = uvicorn.Config(
        under_policy(app), host="127.0.0.1", port=port, log_level="error", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + PATIENCE
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < until, "the server did not start"
        time.sleep(0.02)
    yield Served(f"http://127.0.0.1:{port}", with_title, warm)
    server.should_exit = True
    thread.join(timeout=PATIENCE)


def hostile(bundle: Bundle, customer: str, dataset: Dataset, folder: Path) -> Any:
    """Return the offers with a title that looks like HTML where it will be listed."""
    from api.people import find_person
    from recommender.serving.lists import Wish

    store = Store.open(f"sqlite:///{folder / 'first.db'}")
    store.load(dataset)
    service = Service(bundle)
    home = House(bundle, service, store, at=bundle.moment)
    person = find_person(home, home.model, service, customer, home.now())
    best = service.recommend(person.query, Wish(at=bundle.moment, n=10))[0].offers
    store.close()
    offers = bundle.offers.copy()
    offers.loc[best[-1].row, "title"] = HOSTILE
    return offers


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("needs the system package chromium")
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield made
        made.close()


@dataclass
class Watched:
    """A page of the browser, and what it must not do."""

    page: Any
    complaints: list[str]
    expected: list[str]


@pytest.fixture(params=[(1280, 900)], ids=["desktop"])
def watched(browser: Any, served: Served, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A page that fails its test on console errors, script run by data, and foreign requests.

    A test that provokes a failed request adds its status to `expected`.
    """
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    seen = Watched(page, [], [])
    page.set_default_timeout(PATIENCE * 1000)

    def on_console(message: Any) -> None:
        if message.type in ("error", "warning") and not any(
            one in message.text for one in seen.expected
        ):
            seen.complaints.append(f"console: {message.text} {message.location}")

    def on_request(one: Any) -> None:
        if not one.url.startswith((served.url + "/", "data:")):
            seen.complaints.append(f"foreign request: {one.url}")

    def on_dialog(dialog: Any) -> None:
        seen.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("console", on_console)
    page.on("pageerror", lambda error: seen.complaints.append(f"script: {error}"))
    page.on("request", on_request)
    page.on("dialog", on_dialog)
    page.add_init_script(
        "addEventListener('securitypolicyviolation',"
        " (e) => console.error('policy: ' + e.violatedDirective + ' ' + e.blockedURI))"
    )
    yield seen
    complaints = list(seen.complaints)
    context.close()
    assert not complaints


@pytest.fixture
def page(watched: Watched) -> Any:
    """The page itself."""
    return watched.page
