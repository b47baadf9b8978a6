"""The first page when something is wrong: hostile data, missing keys, a database that is away."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser]
HOSTILE = "<img src=x onerror=alert(1)>"


def refuse(page: Any, path: str, status: int, code: str, detail: str = "No.") -> None:
    body = json.dumps({"detail": detail, "code": code})
    page.route(
        path,
        lambda route: route.fulfill(status=status, body=body, content_type="application/json"),
    )


def test_a_title_that_looks_like_html_is_text(page: Any, served: Any) -> None:
    page.goto(f"{served.url}/#customer={served.warm}")
    titles = page.locator("#lookup-result .offer h3")
    page.wait_for_selector("#lookup-result .offer")
    assert HOSTILE in [title.strip() for title in titles.all_text_contents()]
    assert page.locator("main img").count() == 0
    page.locator("#lookup-result .offer", has_text=HOSTILE).locator(".redeem").click()
    page.locator("#lookup-said").filter(has_text="Rede").wait_for()
    assert HOSTILE in page.locator("#lookup-said").inner_text()
    assert page.locator("main img").count() == 0


def test_an_id_that_looks_like_html_is_text(page: Any, served: Any) -> None:
    page.goto(f"{served.url}/#customer={HOSTILE.replace(' ', '+')}")
    page.wait_for_selector("#lookup-result .offer")
    assert HOSTILE in page.locator("#lookup-result .person").inner_text()
    assert page.locator("main img").count() == 0


def test_an_id_that_no_path_can_hold_is_refused_in_words(page: Any, served: Any) -> None:
    page.goto(f"{served.url}/#customer=..")
    page.locator("#lookup-said").filter(has_text="dots").wait_for()


def test_a_redemption_that_fails_can_be_repeated(watched: Any, served: Any) -> None:
    page = watched.page
    watched.expected.append("503")
    refuse(page, "**/events", 503, "DATABASE_AWAY")
    sent = []
    page.on("request", lambda one: sent.append(one.post_data_json) if one.post_data else None)
    page.goto(f"{served.url}/#customer={served.bundle.customers.ids[8]}")
    page.wait_for_selector("#lookup-result .offer")
    button = page.locator("#lookup-result .redeem").first
    button.click()
    page.locator("#lookup-said").filter(has_text="away").wait_for()
    assert button.is_enabled()
    page.unroute("**/events")
    button.click()
    page.locator("#lookup-said").filter(has_text="Rede").wait_for()
    # The repeat is the same event: had the first one arrived, nothing would be counted twice.
    assert sent[0] == sent[1]


def test_a_degraded_list_says_so(page: Any, served: Any) -> None:
    def degrade(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=json.dumps({**answer.json(), "degraded": True}))

    page.route("**/recommend/**", degrade)
    page.goto(f"{served.url}/#customer={served.warm}")
    assert "The database is away" in page.locator(".banner").inner_text()


def test_a_list_that_does_not_come_can_be_asked_again(watched: Any, served: Any) -> None:
    page = watched.page
    watched.expected.extend(["500", "Failed to load"])
    refuse(page, "**/recommend/**", 500, "INTERNAL_ERROR", "This is our mistake.")
    page.goto(f"{served.url}/#customer={served.warm}")
    page.locator("#lookup-said").filter(has_text="mistake").wait_for()
    page.unroute("**/recommend/**")
    page.route("**/recommend/**", lambda route: route.abort())
    page.get_by_role("button", name="Try again").click()
    page.locator("#lookup-said").filter(has_text="reached").wait_for()
    page.unroute("**/recommend/**")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("#lookup-result .offer")


def test_a_key_is_asked_for_sent_and_kept_in_the_tab_only(watched: Any, served: Any) -> None:
    page = watched.page
    watched.expected.append("401")

    def guard(route: Any) -> None:
        if route.request.headers.get("x-api-key") == "open sesame":
            route.fallback()
            return
        body = json.dumps({"detail": "A key is needed.", "code": "NO_KEY"})
        route.fulfill(status=401, body=body, content_type="application/json")

    for path in ("segments", "segments/*", "recommend/**", "onboarding/survey"):
        page.route(f"{served.url}/{path}", guard)
    page.goto(f"{served.url}/#customer={served.warm}")
    page.wait_for_selector("#key:not([hidden])")
    page.fill("#key-value", "wrong")
    page.press("#key-value", "Enter")
    page.locator("#key-why").filter(has_text="accepted").wait_for()
    page.fill("#key-value", "open sesame")
    page.press("#key-value", "Enter")
    page.wait_for_selector("#lookup-result .offer")
    page.wait_for_selector(".centroid")
    assert page.locator("#key").is_hidden()
    assert page.evaluate("localStorage.length") == 0
    assert page.evaluate("document.cookie") == ""
    assert "sesame" not in page.url
    page.reload()
    page.wait_for_selector("#lookup-result .offer")


def test_a_model_without_segments_says_so(page: Any, served: Any) -> None:
    page.route("**/segments", lambda route: route.fulfill(json=[]))
    page.goto(served.url)
    page.locator("#map").filter(has_text="no segments").wait_for()


def test_columns_of_the_owners_are_asked_for_whatever_they_are_called(
    page: Any, watched: Any, served: Any
) -> None:
    columns = [
        {"name": "plan_name", "values": ["basic", HOSTILE]},
        {"name": "balance", "values": None},
        {"name": "age", "values": None},  # that the form has anyway
        {"name": HOSTILE, "values": ["a"]},
    ]

    def more(route: Any) -> None:
        route.fulfill(json={**route.fetch().json(), "profile": columns})

    page.route("**/onboarding/survey", more)
    page.goto(served.url)
    page.wait_for_selector("#profile-own-2")
    assert page.locator("#profile label").all_inner_texts()[-3:] == [
        "Plan name",
        "Balance",
        HOSTILE,
    ]
    page.select_option("#profile-own-0", HOSTILE)
    page.fill("#profile-own-1", "12.5")
    watched.expected.append("422")  # this model reads none of them
    with page.expect_response("**/onboarding") as answer:
        page.press("#profile-own-1", "Enter")
    told = answer.value.request.post_data_json["profile"]
    assert told == {"plan_name": HOSTILE, "balance": 12.5}
    page.locator("#welcome-said").filter(has_text="is no column that the model reads").wait_for()
    assert page.locator("main img").count() == 0


@pytest.mark.parametrize("axes", [["age", "share:food"], ["age"]])
def test_a_model_without_income_maps_what_it_has(page: Any, served: Any, axes: list[str]) -> None:
    """With one feature only the dots lie on a line."""

    def other(route: Any) -> None:
        answer = route.fetch().json()
        answer["axes"] = axes
        age = answer["profile"]["age"]
        answer["profile"] = {name: {**age, "label": name} for name in axes}
        answer["centroid"] = dict.fromkeys(axes, 30.0)
        answer["points"] = [point[: len(axes)] for point in answer["points"]]
        route.fulfill(json=answer)

    page.route("**/segments/*", other)
    page.goto(served.url)
    page.wait_for_selector(".centroid")
    assert "does not know income" in page.locator("#map-note").inner_text()
    assert page.locator(".axes .title").count() == len(axes)
    assert page.locator(".points circle").count() > 0
