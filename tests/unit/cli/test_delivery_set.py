"""Choosing what a delivery is, from the command line."""

from pathlib import Path

import pytest

from tests.support.command import Outcome, aftersend

HTML = '<p><a href="https://shop.example/">look</a></p>'
FORMULA = "<%= trackingUrl %>?x=1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with an instance and files that people would write."""
    folder = tmp_path_factory.mktemp("set")
    assert aftersend(None, "init", str(folder / "instance")).status == 0
    (folder / "message.html").write_text(HTML)
    (folder / "other.html").write_text(HTML.replace("shop", "other"))
    (folder / "formula.txt").write_text(FORMULA + "\n")
    (folder / "lamps.json").write_text('[{"price": 12.50}]')
    (folder / "broken.json").write_text("{")
    (folder / "lamps.csv").write_text("price\n12\n")
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    return folder


@pytest.fixture
def delivery(folder: Path) -> str:
    """Give the id of a new delivery."""
    return _create(folder)


def _create(folder: Path, *more: str) -> str:
    named = ("--label", "First", "--sender", "A <a@b.example>", "--subject", "Hello")
    created = _run(folder, "create", *named, "--html", str(folder / "message.html"), *more)
    assert created.status == 0, created.err
    return str(created.document["id"]) if "--json" in more else created.out.split()[-1].rstrip(".")


def _run(folder: Path, *arguments: str) -> Outcome:
    return aftersend(folder / "instance", "delivery", *arguments)


def test_every_property_can_be_set_and_shown(folder: Path, delivery: str) -> None:
    """`show --json` has what `set` was given, in its own words."""
    outcome = _run(
        folder, "set", delivery, "--label", "Second", "--no-opens", "--validity", "30d",
        "--substitution-url", "https://shop.example/over", "--resource-validity", "12h",
        "--pixel", "top", "--mirror", "force", "--click-formula", f"@{folder / 'formula.txt'}",
        "--open-formula", "<%= trackingUrl %>", "--link-parameters", "utm_source=news",
        "--variable", "shop=Pier 3", "--variable", "season=a=b",
        "--object", f"lamps={folder / 'lamps.json'}",
    )  # fmt: skip

    assert (outcome.status, outcome.out) == (0, f"Changed delivery {delivery}.\n")
    shown = _run(folder, "show", delivery, "--json").document
    assert {
        "kind": "main",
        "label": "Second",
        "sender": "A <a@b.example>",
        "subject": "Hello",
        "is_tracked": True,
        "is_open_tracked": False,
        "validity_s": 30 * 86_400,
        "substitution_url": "https://shop.example/over",
        "resources_s": 12 * 3_600,
        "pixel": "top",
        "mirror_mode": "force",
        "click_formula": FORMULA + "\n",
        "open_formula": "<%= trackingUrl %>",
        "link_parameters": "utm_source=news",
        "variables": {"shop": "Pier 3", "season": "a=b"},
        "objects": ["lamps"],
        "untracked_reason": "",
        "origin_id": None,
        "proof_number": None,
    }.items() <= shown.items()
    table = _run(folder, "show", delivery).out
    assert "shop=Pier 3, season=a=b" in table


def test_the_content_can_be_replaced(folder: Path, delivery: str) -> None:
    """The links are those of the new file."""
    outcome = _run(folder, "set", delivery, "--html", str(folder / "other.html"))

    assert outcome.status == 0
    (link,) = _run(folder, "urls", delivery, "--json").document
    assert link["source"] == "https://other.example/"


def test_a_delivery_can_be_made_with_switches_and_data(folder: Path) -> None:
    """What `create` takes is what `show` tells."""
    made = _create(
        folder, "--json", "--no-tracking", "--no-opens", "--variable", "a=1",
        "--object", f"lamps={folder / 'lamps.json'}",
    )  # fmt: skip

    shown = _run(folder, "show", made, "--json").document
    assert (shown["is_tracked"], shown["is_open_tracked"]) == (False, False)
    assert (shown["variables"], shown["objects"]) == ({"a": "1"}, ["lamps"])


def test_an_empty_text_takes_a_formula_away(folder: Path, delivery: str) -> None:
    """A formula and a substitution that are empty are none."""
    _run(folder, "set", delivery, "--click-formula", FORMULA, "--substitution-url", "http://x/")

    _run(folder, "set", delivery, "--click-formula", "", "--substitution-url", "")

    shown = _run(folder, "show", delivery, "--json").document
    assert (shown["click_formula"], shown["substitution_url"]) == ("", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--validity", "30"), "'30' is no length of time: write one like 30d"),
        (("--validity", "1y"), "is no length of time"),
        (("--validity", "-1d"), "is no length of time"),
        (("--validity", "99999w"), "up to 100 years"),
        (("--substitution-url", "shop"), "no address that people can be sent to"),
        (("--click-formula", "@nowhere.txt"), "nowhere.txt cannot be read"),
        (("--click-formula", "@latin.txt"), "latin.txt is not UTF-8"),
        (("--click-formula", "<%= ("), "click formula line 1"),
        (("--open-formula", "a\nb"), "A line ends here"),
        (("--variable", "shop"), "'shop' is no variable: write it as name=value"),
        (("--variable", "=x"), "is no variable"),
        (("--variable", "a=1", "--variable", "a=2"), "variable 'a' is given twice"),
        (("--object", "lamps=broken.json"), "broken.json: This is not JSON"),
        (("--object", "lamps=lamps.csv"), "neither JSON nor XML"),
        (("--object", "lamps=nowhere.json"), "nowhere.json cannot be read"),
        (("--object", "delivery=lamps.json"), "always an object of its own"),
        (("--html", "nowhere.html"), "nowhere.html cannot be read"),
        (("--label", ""), "needs a label"),
        (("--sender", "nobody"), "sender"),
    ],
)
def test_what_cannot_be_set_is_told_in_one_sentence(
    folder: Path,
    delivery: str,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    """Status 1, one line on standard error, and nothing is changed."""
    monkeypatch.chdir(folder)
    before = _run(folder, "show", delivery, "--json").document

    outcome = _run(folder, "set", delivery, "--no-opens", *arguments)

    assert outcome.status == 1
    assert sentence in outcome.err
    assert outcome.err.startswith("aftersend: ")
    assert outcome.err.count("\n") == 1
    assert _run(folder, "show", delivery, "--json").document == before


@pytest.mark.parametrize(
    "arguments", [(), ("--pixel", "left"), ("--mirror", "maybe"), ("--validity",)]
)
def test_wrong_usage_has_a_status_of_its_own(
    folder: Path, delivery: str, arguments: tuple[str, ...]
) -> None:
    """Nothing to change, or a choice that is none, is status 2."""
    outcome = _run(folder, "set", delivery, *arguments)

    assert outcome.status == 2
    assert "Traceback" not in outcome.err


def test_an_unknown_delivery_is_told(folder: Path) -> None:
    """A delivery that is not there is told by its number."""
    outcome = _run(folder, "set", "99", "--no-opens")

    assert (outcome.status, outcome.err) == (1, "aftersend: There is no delivery 99.\n")


def test_links_are_set_with_their_category(folder: Path, delivery: str) -> None:
    """Mode, label and category of one link; without its id nobody knows which is meant."""
    (link,) = _run(folder, "urls", delivery, "--json").document
    named = ("--mode", "opt-out", "--label", "Bye", "--category", "leaving")

    (changed,) = _run(folder, "urls", delivery, "--set", str(link["id"]), *named, "--json").document

    assert changed == {
        **link,
        "mode": "opt-out",
        "type": "opt_out",
        "label": "Bye",
        "category": "leaving",
    }
    assert _run(folder, "urls", delivery, *named).status == 2
    assert _run(folder, "urls", delivery, "--set", "999", *named).status == 1
