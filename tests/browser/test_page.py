"""The first page as people use it: map, list, redemption, onboarding."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser]
BOTH = pytest.mark.parametrize(
    "watched", [(1280, 900), (390, 844)], ids=["desktop", "phone"], indirect=True
)


def number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-").replace("+", ""))


def listed(page: Any, place: str = "#lookup-result") -> list[str]:
    return page.locator(f"{place} .offer").evaluate_all("all => all.map(one => one.dataset.offer)")


def look_up(page: Any, customer: str) -> None:
    page.fill("#lookup-id", customer)
    page.press("#lookup-id", "Enter")
    page.wait_for_selector("#lookup-result .offer")


def no_sideways(page: Any) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@BOTH
def test_the_map_draws_every_segment_once(page: Any, served: Any) -> None:
    page.goto(served.url)
    names = served.bundle.segments.names
    page.wait_for_selector(".centroid")
    assert page.locator(".points").count() == len(names)
    assert page.locator(".centroid").count() == len(names)
    for row, name in enumerate(names):
        assert page.locator(f".points[data-segment='{row}'] circle").count() > 0
        label = page.locator(f".centroid[data-segment='{row}']").get_attribute("aria-label")
        assert label.startswith(name)
    titles = page.locator(".axes .title").all_text_contents()
    assert titles == ["Annual income (k)", "Spending score"]
    legend = page.locator("#legend button").all_text_contents()
    assert all(name in told for name, told in zip(names, legend, strict=True))
    assert no_sideways(page)


def test_a_segment_is_described_by_click_and_by_keyboard(page: Any, served: Any) -> None:
    page.goto(served.url)
    page.wait_for_selector(".centroid")
    names = served.bundle.segments.names
    page.locator(".centroid[data-segment='1'] .ring").click()
    assert names[1] in page.locator("#segment h3").inner_text()
    assert page.locator("#segment tbody tr").count() == len(served.bundle.segments.features)
    page.locator(".centroid[data-segment='0']").focus()
    assert names[0] in page.locator(".tip").inner_text()
    page.keyboard.press("Enter")
    assert names[0] in page.locator("#segment h3").inner_text()
    assert page.locator("#legend button[aria-pressed='true']").get_attribute("data-segment") == "0"
    page.mouse.move(0, 0)
    page.locator(".centroid[data-segment='1']").hover()
    assert names[1] in page.locator(".tip").inner_text()


@BOTH
def test_a_warm_customer_has_offers_whose_bars_add_up(page: Any, served: Any) -> None:
    page.goto(f"{served.url}/#customer={served.warm}")
    page.wait_for_selector("#lookup-result .offer")
    assert page.input_value("#lookup-id") == served.warm
    assert page.locator("#lookup-result .person").inner_text().count("yes") == 1
    calibrated = served.bundle.recommender.hybrid.calibrated
    offers = page.locator("#lookup-result .offer")
    assert offers.count() == 10
    for place in range(offers.count()):
        offer = offers.nth(place)
        rows = offer.locator(".parts tr").evaluate_all(
            "all => all.map(one => [one.dataset.part, Number(one.dataset.value),"
            " one.querySelector('.value').textContent])"
        )
        *parts, (last, total, shown) = rows
        assert last == "total"
        assert parts[0][0] == "intercept"
        score = float(offer.locator("[data-score]").get_attribute("data-score"))
        logit = math.log(score / (1 - score)) if calibrated else score
        assert total == pytest.approx(logit, abs=1e-9)
        assert sum(value for _, value, _ in parts) == pytest.approx(logit, abs=1e-9)
        # Also the rounded numbers that people add up.
        assert sum(number(text) for *_, text in parts) == pytest.approx(number(shown), abs=1e-9)
        assert number(shown) == pytest.approx(logit, abs=0.0051)
        told = offer.locator(".score strong").inner_text()
        assert re.fullmatch(r"\d+(\.\d)?%" if calibrated else r"-?\d+\.\d\d", told)
        assert offer.locator(".reasons li").count() > 0
    assert no_sideways(page)


def test_a_redeemed_offer_goes_away_and_the_rest_moves(page: Any, served: Any) -> None:
    customer = str(served.bundle.customers.ids[5])
    repeatable = served.bundle.offers.set_index("offer_id")["repeatable"].fillna(False)
    sent = []
    page.on("request", lambda one: sent.append(one.post_data_json) if one.post_data else None)
    page.goto(served.url)
    look_up(page, customer)
    assert page.url.endswith(f"#customer={customer}")
    before = listed(page)
    place = next(k for k, offer in enumerate(before) if not repeatable[offer])
    offer = before[place]
    page.locator(f".offer[data-offer='{offer}'] .redeem").click()
    page.wait_for_selector(f"#lookup-result .offer[data-offer='{offer}']", state="detached")
    event = sent[0]["events"][0]
    assert event["offer_id"] == offer
    assert event["position"] == place + 1
    assert event["event_type"] == "redemption"
    assert len(event["event_id"]) == len(event["decision_id"]) == 32
    after = listed(page)
    assert offer not in after
    assert len(after) == len(before)
    fresh = page.locator("#lookup-result .offer.new").evaluate_all(
        "all => all.map(one => one.dataset.offer)"
    )
    assert set(fresh) == set(after) - set(before)
    assert page.locator("#lookup-said").inner_text().startswith("Redeemed")
    page.reload()
    page.wait_for_selector("#lookup-result .offer")
    assert listed(page) == after


def test_a_stranger_is_said_to_be_one(page: Any, served: Any) -> None:
    page.goto(served.url)
    look_up(page, "nobody/knows?me#at all%2F")
    told = page.locator("#lookup-result .person").inner_text()
    assert "nobody/knows?me#at all%2F" in told
    assert "list for strangers" in told


@BOTH
def test_a_new_customer_gets_offers_that_follow_the_answers(page: Any, served: Any) -> None:
    page.goto(served.url)
    page.fill("#profile-age", "27")
    page.fill("#profile-income", "28")
    page.fill("#profile-score", "80")
    page.press("#profile-age", "Enter")
    page.wait_for_selector("#welcome-result .offer")
    assert page.locator("#welcome-result .offer .reasons li").count() > 0
    assert page.locator("#welcome-result .person .chip").count() == 1
    asked = page.locator("#questions li[data-question]").first.get_attribute("data-question")
    with page.expect_response("**/onboarding") as answer:
        page.locator(f"#questions li[data-question='{asked}'] [data-answer='yes']").click()
    assert answer.value.status == 200
    body = answer.value.request.post_data_json
    assert body["answers"] == {asked: "yes"}
    assert body["profile"] == {"age": 27, "annual_income": 28, "spending_score": 80}
    told = answer.value.json()
    page.locator("#welcome-said").filter(has_text="yes").wait_for()
    assert listed(page, "#welcome-result") == [
        one["offer_id"] for one in told["recommendations"]["offers"]
    ]
    # Whoever answers by keyboard goes on with the next question.
    assert page.evaluate("document.activeElement.closest('#questions') !== null")
    skipped = page.locator("#questions li[data-question]").first.get_attribute("data-question")
    assert skipped != asked
    with page.expect_response("**/onboarding"):
        page.locator(f"#questions li[data-question='{skipped}'] [data-answer='skip']").click()
    page.locator("#welcome-said").filter(has_text="Skip").wait_for()
    assert page.locator(f"#questions li[data-question='{skipped}']").count() == 0
    assert no_sideways(page)
    # The new customer can be looked up like anybody else.
    page.locator("#welcome-result a").click()
    page.wait_for_selector("#lookup-result .offer")
    assert body["customer_id"] in page.locator("#lookup-result .person").inner_text()


def test_the_head_names_the_model(page: Any, served: Any) -> None:
    page.goto(served.url)
    page.wait_for_selector("#facts div")
    facts = page.locator("#facts").inner_text()
    assert served.bundle.version in facts
    assert str(len(served.bundle.customers.ids)) in facts
    assert str(len(served.bundle.offers)) in facts
    assert page.locator("nav a[href='docs']").count() == 1


def test_rounded_parts_always_add_up_to_their_rounded_total(page: Any, served: Any) -> None:
    page.goto(served.url)
    wrong = page.evaluate(
        """async () => {
        const { roundToSum } = await import('./static/words.js');
        const wrong = [];
        for (let turn = 0; turn < 3000; turn += 1) {
          const values = Array.from({ length: 1 + turn % 8 }, (_, k) =>
            Math.sin(turn * 7.3 + k * 1.7) * (turn % 3 ? 0.9 : 5));
          const { parts, total } = roundToSum(values);
          const sum = parts.reduce((a, b) => a + Math.round(b * 100), 0);
          const exact = values.reduce((a, b) => a + b, 0);
          const near = parts.every((part, k) => Math.abs(part - values[k]) < 0.01 + 1e-9);
          if (sum !== Math.round(total * 100) || Math.abs(total - exact) > 0.00501 || !near)
            wrong.push(values);
        }
        return wrong;
        }"""
    )
    assert wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_its_ground(page: Any, served: Any, scheme: str) -> None:
    """WCAG 2.1 AA asks 4.5 : 1 of text."""
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{served.url}/#customer={served.warm}")
    page.wait_for_selector("#lookup-result .offer")
    page.wait_for_selector(".centroid")
    poor = page.evaluate(
        """() => {
        const parse = (text) => text.match(/[\\d.]+/g).map(Number);
        const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
          .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
          .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
        const ground = (node) => {
          for (let one = node; one; one = one.parentElement) {
            const colour = parse(getComputedStyle(one).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
          }
          return [255, 255, 255];
        };
        const poor = [];
        for (const node of document.querySelectorAll('body *')) {
          const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
          if (!own || !node.getClientRects().length || node.closest('[aria-busy=true]')) continue;
          const style = getComputedStyle(node);
          const shown = parse(node.closest('svg') ? style.fill : style.color);
          const [a, b] = [light(shown), light(ground(node))].sort((x, y) => y - x);
          if ((a + 0.05) / (b + 0.05) < 4.5) poor.push([node.tagName, node.className, shown]);
        }
        return poor;
        }"""
    )
    assert poor == []


def test_paper_shows_the_list_without_its_controls(page: Any, served: Any) -> None:
    page.goto(f"{served.url}/#customer={served.warm}")
    page.wait_for_selector("#lookup-result .offer")
    page.emulate_media(media="print")
    assert page.locator("#lookup-result .offer").first.is_visible()
    for hidden in ("nav", "#lookup-form", ".redeem", "#welcome"):
        assert page.locator(hidden).first.is_hidden()
