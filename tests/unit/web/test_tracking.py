"""The Tracking tab of a delivery."""

import csv
import re
from datetime import timedelta
from typing import Any

import pytest
from litestar.testing import TestClient

from aftersend.database import activity, urls, web_visits
from aftersend.model.ids import DeliveryId, UrlId
from aftersend.web import log_export
from aftersend.web.services import Services
from tests.support.page_seed import (
    HOSTILE,
    ORDER,
    PAGE,
    Hit,
    Seeded,
    add_delivery,
    add_hits,
    add_recipients,
    add_tags,
    add_workflow,
    consolidate,
)
from tests.support.pages import NOW

NAMES = ["John", "Marie", "Florian", "Henry"]


@pytest.fixture
def seeded(services: Services) -> Seeded:
    """Give the four of the worked example, its clicks and opens, and two hits that do not count."""
    seeded = add_delivery(services, add_recipients(services, NAMES))
    _, marie, florian, henry = seeded.messages
    shop, opt_out, _ = seeded.urls
    hits = [Hit(1, florian, 1), *(Hit(4 + n / 60, florian, shop, "fe37") for n in range(9))]
    hits += [Hit(6, henry, 1, "730E")]
    hits += [Hit(6.5 + n / 60, henry, shop, f"7-{n}") for n in range(4)]
    hits += [Hit(9, florian, 1), Hit(9.1, florian, shop, "9ab6"), Hit(9.2, florian, shop, "9ab6")]
    hits += [Hit(14, marie, 1), Hit(14.2, marie, 1), Hit(15, marie, opt_out, "m", flags="h")]
    add_hits(services, seeded, hits)
    consolidate(services)
    add_workflow(services)
    return seeded


def _figures(text: str) -> dict[str, list[str]]:
    """Read value and rate of every figure from a page."""
    found = re.findall(r'<li class="figure" data-figure="(\w+)">(.*?)</li>', text, re.DOTALL)
    return {
        name: [
            re.sub(r"<[^>]+>|\s+", " ", part).strip()
            for part in re.findall(r'<span class="[^"]*num[^"]*">(.*?)</span>', inside, re.DOTALL)
        ]
        for name, inside in found
    }


def test_the_published_figures_are_shown(client: TestClient[Any], seeded: Seeded) -> None:
    """The worked example shows the published values and rates, above 100 % unclamped (§7.3)."""
    text = client.get(f"/deliveries/{seeded.delivery}/tracking").text

    shown = _figures(text)
    assert shown["success"] == ["4", "100.00 %"]
    assert shown["recipient_open"] == ["3", "75.00 %"]
    assert shown["total_recipient_open"] == ["4", "100.00 %"]
    assert shown["forward"] == ["4", "100.00 %"]
    assert shown["person_click"] == ["6", "150.00 %"]
    assert shown["total_recipient_click"] == ["15", "375.00 %"]
    assert shown["recipient_click"] == ["2", "50.00 %"]
    assert shown["opt_out"] == ["0", "0.00 %"]
    assert shown["estimated_reactivity"] == ["66.67 %", ""]
    assert 'width="100.00%"' in text
    assert 'width="375.00%"' not in text


def test_every_formula_is_at_hand(client: TestClient[Any], seeded: Seeded) -> None:
    """Each figure tells how it is computed, and what its rate is a share of."""
    text = client.get(f"/deliveries/{seeded.delivery}/tracking").text

    assert "d(message; any log): a click proves an opening" in text
    assert "% of success of tracked deliveries" in text
    assert text.count('class="help menu"') == len(_figures(text))


@pytest.mark.parametrize("query", ["", "?hits=all"])
def test_every_figure_leads_to_as_many_rows(
    client: TestClient[Any], seeded: Seeded, query: str
) -> None:
    """The list behind a figure has as many rows as it says, for people and for all hits (D9)."""
    here = f"/deliveries/{seeded.delivery}"
    text = client.get(f"{here}/tracking{query}").text
    links = re.findall(r'href="(/deliveries/\d+/figures/(\w+)[^"]*)">([\d,]+)<', text)

    assert {"to_deliver", "success", "recipient_open", "total_recipient_click"} <= {
        name for _, name, _ in links
    }
    for path, _, value in links:
        behind = client.get(path.replace("&amp;", "&")).text
        assert behind.count("<tr>") - behind.count("<thead><tr>") == int(value), path
        assert f"{value} / {value}" in behind


def test_all_hits_can_be_counted(client: TestClient[Any], seeded: Seeded) -> None:
    """On demand machines and repeats count, too."""
    shown = _figures(client.get(f"/deliveries/{seeded.delivery}/tracking?hits=all").text)

    assert shown["total_recipient_open"][0] == "5"
    assert shown["opt_out"][0] == "1"


def test_logs_show_who_is_taken_for_whom(client: TestClient[Any], seeded: Seeded) -> None:
    """All hits are listed, newest first, each with its verdict and the rule behind it."""
    text = client.get(f"/deliveries/{seeded.delivery}/tracking/logs").text

    assert "21 / 21" in text
    assert text.index("Opt-out</span>") < text.index("Email click</span>", text.index("<tbody"))
    assert "open-repeat" in text
    assert ">head<" in text


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("type=email_click", 15),
        ("verdict=human", 19),
        ("verdict=repeat&type=open", 1),
        ("url=shop", 15),
        ("recipient=r3.", 13),
        ("since=2026-02-28", 0),
        ("since=2026-02-27&until=2026-02-27", 21),
        ("until=2026-02-26", 0),
        ("type=nonsense&verdict=nonsense&sort=nonsense", 21),
    ],
)
def test_logs_are_filtered(client: TestClient[Any], seeded: Seeded, query: str, count: int) -> None:
    """Each filter picks its hits, and the counter says how many."""
    text = client.get(f"/deliveries/{seeded.delivery}/tracking/logs?{query}").text

    assert f"{count} / {count}" in text


@pytest.mark.parametrize("sort", ["at", "label", "type", "recipient", "verdict", "source_id"])
def test_logs_are_sorted_by_header(client: TestClient[Any], seeded: Seeded, sort: str) -> None:
    """Each header sorts downwards, upwards, and back again."""
    path = f"/deliveries/{seeded.delivery}/tracking/logs"
    down = client.get(f"{path}?uuid=yes&sort=-{sort}")
    up = client.get(f"{path}?uuid=yes&sort={sort}")

    assert (down.status_code, up.status_code) == (200, 200)
    assert 'aria-sort="descending"' in down.text
    assert 'aria-sort="ascending"' in up.text
    assert f"sort={sort}&amp;" in down.text or f'sort={sort}"' in down.text


def test_the_requester_is_shown_on_demand(client: TestClient[Any], seeded: Seeded) -> None:
    """The column Requester UUID is there for those who ask for it."""
    path = f"/deliveries/{seeded.delivery}/tracking/logs"

    assert "fe37" not in client.get(path).text
    assert "fe37" in client.get(f"{path}?uuid=yes").text


@pytest.mark.parametrize("rows_a_piece", [20_000, 7, 1])
def test_logs_come_as_csv(
    client: TestClient[Any], seeded: Seeded, monkeypatch: pytest.MonkeyPatch, rows_a_piece: int
) -> None:
    """The CSV holds what the page lists, filters and all, however it was cut in pieces."""
    monkeypatch.setattr(log_export, "ROWS_A_PIECE", rows_a_piece)
    answer = client.get(f"/deliveries/{seeded.delivery}/tracking/logs.csv?type=email_click")
    rows = list(csv.DictReader(answer.text.splitlines()))

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert len(rows) == 15
    assert len({row["log_id"] for row in rows}) == 15
    assert {row["type"] for row in rows} == {"email_click"}


def test_urls_show_their_clicks(client: TestClient[Any], seeded: Seeded) -> None:
    """Each link stands there with type, mode and clicks, and leads to as many rows."""
    here = f"/deliveries/{seeded.delivery}"
    text = client.get(f"{here}/tracking/urls").text
    link = f"{here}/urls/{seeded.urls[0]}"

    assert f'<a href="{link}">15</a>' in text
    assert "Opt-out" in text
    assert "15 / 15" in client.get(link).text
    assert client.get(f"{here}/urls/1").status_code == 404
    assert client.get(f"/deliveries/77/urls/{seeded.urls[0]}").status_code == 404


def test_links_of_one_label_add_up(
    client: TestClient[Any], services: Services, seeded: Seeded
) -> None:
    """Their clicks stand there one by one and together, and the list is as long as the sum."""
    shop, opt_out, _ = seeded.urls
    add_hits(services, seeded, [Hit(20, seeded.messages[1], opt_out, "m")], first=100)
    consolidate(services)
    with services.database.write() as connection:
        urls.change(connection, UrlId(shop), label="Offer")
        urls.change(connection, UrlId(opt_out), label="Offer")
        clicks = activity.by_url(connection, DeliveryId(seeded.delivery))
    total = clicks[UrlId(shop)] + clicks[UrlId(opt_out)]
    link = f"/deliveries/{seeded.delivery}/urls/{shop}?together=true"

    assert total > clicks[UrlId(shop)]
    assert f'<a href="{link}">{total} together</a>' in (
        client.get(f"/deliveries/{seeded.delivery}/tracking/urls").text
    )
    listed = client.get(link).text
    assert f"{total} / {total}" in listed
    assert "Together with 1 more" in listed


def test_the_chart_adds_up(client: TestClient[Any], seeded: Seeded) -> None:
    """Bars of opens and clicks add up to the figures above them."""
    drawn = client.get(f"/deliveries/{seeded.delivery}/tracking/activity.json").json()

    assert [sum(one["values"]) for one in drawn["series"]] == [4, 15]
    assert [one["name"] for one in drawn["series"]] == ["Opens", "Clicks"]


@pytest.fixture
def shopping(services: Services) -> Seeded:
    """Give a delivery whose readers, and somebody else, visited pages and bought."""
    seeded = add_delivery(services, add_recipients(services, NAMES))
    john = seeded.messages[0]
    add_tags(services)
    hits = [
        Hit(1, john, PAGE, "a"),
        Hit(2, john, ORDER, "a", amount=1249.9, article=3),
        Hit(3, 0, ORDER, "x", amount=0.05),
        Hit(4, 0, ORDER, "x"),
        Hit(5, 0, ORDER, "y", flags="h", amount=99.0, article=1),
    ]
    add_hits(services, seeded, hits)
    consolidate(services)
    add_workflow(services)
    return seeded


def test_money_is_shown_with_two_decimals(client: TestClient[Any], shopping: Seeded) -> None:
    """The box Web shows visits, transactions, sums and averages; shares of nothing are a dash."""
    shown = _figures(client.get(f"/deliveries/{shopping.delivery}/tracking").text)

    assert {name: shown[name][0] for name in list(shown)[-7:]} == {
        "total_web_page": "4",
        "transaction": "3",
        "amount": "1,249.95",
        "article": "3",
        "average_amount": "416.65",
        "average_article": "1.00",
        "amount_per_message": "312.49",
    }


def test_behind_a_sum_its_transactions_are_listed(
    client: TestClient[Any], shopping: Seeded
) -> None:
    """The list tells the sum, in how many transactions, and what each brought."""
    here = f"/deliveries/{shopping.delivery}"
    text = client.get(f"{here}/tracking").text
    listed = client.get(f"{here}/figures/amount").text
    cells = re.findall(r'data-label="Amount" class="num">([^<]*)<', listed)

    assert f'<a href="{here}/figures/amount">1,249.95</a>' in text
    assert "Total amount: 1,249.95" in listed
    assert "in 3 transactions" in listed
    assert cells == ["–", "0.05", "1,249.90"]


def test_without_visits_there_is_no_empty_box(client: TestClient[Any], seeded: Seeded) -> None:
    """Where nobody visited a page with a web tag, one line says so instead of seven zeros."""
    text = client.get(f"/deliveries/{seeded.delivery}/tracking").text

    assert "No visits of pages with web tags" in text
    assert "total_web_page" not in _figures(text)


def test_logs_tell_what_was_bought(client: TestClient[Any], shopping: Seeded) -> None:
    """Visits and transactions are listed by their tags; of nobody there is no recipient."""
    path = f"/deliveries/{shopping.delivery}/tracking/logs"
    text = client.get(f"{path}?type=transaction").text
    rows = list(csv.DictReader(client.get(f"{path}.csv").text.splitlines()))

    assert "4 / 4" in text
    assert "1,249.90 · 3 items" in text
    assert "99.00 · 1 item<" in text
    assert [(row["type"], row["label"], row["recipient"]) for row in rows[-2:]] == [
        ("transaction", f"Order {HOSTILE}", "r1.1@example.com"),
        ("web", "Home page", "r1.1@example.com"),
    ]
    assert [(row["recipient"], row["amount"], row["article"]) for row in rows[:3]] == [
        ("", "99.0", "1"),
        ("", "", ""),
        ("", "0.05", ""),
    ]


def test_web_visits_are_a_delivery_of_their_own(
    client: TestClient[Any], services: Services
) -> None:
    """What no message brought about has figures and logs, and no pages of a message."""
    with services.database.write() as connection:
        number = web_visits.ensure(connection, "web-visits", at=NOW)
    visits = Seeded(number, [], [], [1, 2, 3])
    add_tags(services)
    empty = client.get(f"/deliveries/{number}").text
    add_hits(services, visits, [Hit(1, 0, PAGE, "x"), Hit(2, 0, ORDER, "x", amount=5.0)])
    consolidate(services)
    answer = client.get(f"/deliveries/{number}")
    logs = client.get(f"/deliveries/{number}/tracking/logs").text

    assert "No visits so far" in empty
    assert answer.url.path == f"/deliveries/{number}/tracking"
    assert next(iter(_figures(answer.text))) == "total_web_page"
    assert _figures(answer.text)["amount_per_message"][0] == "–"
    assert f"/deliveries/{number}/content" not in answer.text
    assert "Domains" not in answer.text
    assert "2 / 2" in logs
    for view in ("content", "links", "properties", "logs", "tracking/urls"):
        assert client.get(f"/deliveries/{number}/{view}").status_code == 200, view


@pytest.mark.parametrize("view", ["", "/logs"])
def test_before_the_first_collection_the_page_says_what_to_do(
    client: TestClient[Any], services: Services, view: str
) -> None:
    """When nothing was collected yet, the page says so and leads to the workflow."""
    number = add_delivery(services, add_recipients(services, NAMES)).delivery
    text = client.get(f"/deliveries/{number}/tracking{view}").text

    assert "Nothing has been collected yet" in text
    assert "No data collected yet" in text
    assert 'href="/workflows/tracking"' in text


def test_a_collection_from_before_the_sending_is_told(
    client: TestClient[Any], services: Services
) -> None:
    """Data that is older than the delivery cannot know of it, and the page says so."""
    recipients = add_recipients(services, NAMES)
    number = add_delivery(services, recipients, contact_at=NOW + timedelta(hours=1)).delivery
    add_workflow(services)

    text = client.get(f"/deliveries/{number}/tracking").text
    assert "Nothing has been collected since this delivery was sent" in text


def test_nobody_reacted_is_an_answer_too(client: TestClient[Any], services: Services) -> None:
    """After a collection without hits the page says that nobody has reacted."""
    number = add_delivery(services, add_recipients(services, NAMES)).delivery
    add_workflow(services)

    assert "No opens and no clicks so far" in client.get(f"/deliveries/{number}/tracking").text


@pytest.mark.parametrize("name", ["forward", "raw_reactivity", "nonsense", "%00"])
def test_what_is_computed_has_no_list(client: TestClient[Any], seeded: Seeded, name: str) -> None:
    """Only what was counted can be listed."""
    assert client.get(f"/deliveries/{seeded.delivery}/figures/{name}").status_code == 404
