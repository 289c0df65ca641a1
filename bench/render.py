"""Writing messages for one recipient after the other, against `str.format` of the same length.

Ours compiles a real template once and then writes it for each recipient: two fields, three links
with signed tokens and the open pixel. `str.format` puts as many texts into the same letters; it
signs nothing, escapes nothing, and could track nobody. Four shapes: fields alone, a scripted block,
a click formula, and the whole message with headers and encoding, as it is handed to a mail server.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Final

from aftersend.content import Addresses, Preparation, Source, Template, compile_message
from aftersend.database.deliveries import Delivery
from aftersend.database.messages import Addressee
from aftersend.delivery import press
from aftersend.model.enumeration import DeliveryState, EmailFormat
from aftersend.model.ids import DeliveryId, MessageId, RecipientId
from aftersend.model.token import KeyRing
from bench.result import Comparison, Sample

__all__ = ["compare"]

_FOLDER: Final = Path(__file__).parent.parent / "tests" / "data" / "emails"
_ADDRESSES: Final = Addresses("https://t.example.com", "https://mail.example.com")
_KEYS: Final = KeyRing({1: bytes(range(32))})
_AT: Final = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
_DELIVERY_ID: Final = DeliveryId(7)
_GREETING: Final = "Hi <%= recipient.first_name %> from <%= recipient.city %>"
_BLOCK: Final = (
    "<% if (recipient.city.length > 5) { %><b>Far away</b><% } else { %><i>Near</i><% } %>"
    " <%= toUpperCase(recipient.first_name) %>"
)
_FORMULA: Final = "<% if (recipient.city != 'none') { %><%= trackingUrl %><% } %>"
_SHAPES: Final = (
    ("fields and links", "", "", "≤ 5"),
    ("a scripted block", _BLOCK, "", "≥ 5,000 a second"),
    ("a click formula", "", _FORMULA, "≥ 5,000 a second"),
)


def compare(*, count: int, rounds: int) -> list[Comparison]:
    """Write `count` messages of each shape both ways, `rounds` times."""
    people = [{"first_name": f"Ada{n % 1000}", "city": f"Town {n % 97}"} for n in range(count)]
    comparisons = []
    for name, block, formula, goal in _SHAPES:
        template = _template(block, formula)
        comparisons.append(_compare(name, people, rounds, _writer(template), template, goal))
    template = _template("", "")
    comparisons.append(_compare("the whole MIME", people, rounds, _printer(template), template, ""))
    return comparisons


def _compare(
    name: str,
    people: list[dict[str, str]],
    rounds: int,
    write: Callable[[int, dict[str, str]], object],
    template: Template,
    goal: str,
) -> Comparison:
    samples = [
        (_sample(write, people), _sample(_formatter(template), people)) for _ in range(rounds)
    ]
    return Comparison(
        name=f"render {len(people):,}: {name}",
        unit="µs each",
        reference_name="str.format",
        ours=[pair[0] for pair in samples],
        reference=[pair[1] for pair in samples],
        goal=goal,
    )


def _template(block: str, formula: str) -> Template:
    html = (_FOLDER / "leemunroe-inlined.html").read_text()
    assert "Hi there" in html, "the template is the one that this was written for"
    html = html.replace("Hi there", f"{_GREETING} {block}")
    html = html.replace('href="http://htmlemail.io"', 'href="https://shop.example/lamps"', 1)
    return compile_message(
        Source("Lamps for <%= recipient.first_name %>", html),
        delivery_id=_DELIVERY_ID,
        addresses=_ADDRESSES,
        preparation=Preparation(click_formula=formula),
    )


def _writer(template: Template) -> Callable[[int, dict[str, str]], object]:
    return lambda number, person: template.render(
        person, message_id=MessageId(number), keys=_KEYS, at=_AT
    )


def _printer(template: Template) -> Callable[[int, dict[str, str]], object]:
    delivery = Delivery(
        id=_DELIVERY_ID,
        internal_name="DM7",
        label="Lamps",
        state=DeliveryState.TARGET_READY,
        sender="Shop <news@shop.example>",
        subject="Lamps",
        is_tracked=True,
        is_open_tracked=True,
        is_target_all=True,
        to_deliver=1,
        text_count=0,
        rejected=0,
        success=0,
        error=0,
        created_at=_AT,
        modified_at=_AT,
        analysed_at=_AT,
        contact_at=None,
        ended_at=None,
    )
    machine = press.build(delivery, template, keys=_KEYS, app_url=_ADDRESSES.app)
    return lambda number, person: machine.letter(_addressee(number, person), at=_AT)


def _addressee(number: int, person: dict[str, str]) -> Addressee:
    return Addressee(
        id=MessageId(number),
        recipient_id=RecipientId(number),
        address=f"ada{number}@example.com",
        is_text=False,
        is_seed=False,
        is_known=True,
        is_denylisted=False,
        first_name=person["first_name"],
        last_name="Lovelace",
        format=EmailFormat.UNDEFINED,
        fields={"city": person["city"]},
    )


def _formatter(template: Template) -> Callable[[int, dict[str, str]], tuple[str, str]]:
    """Give what writes as many letters, with as many texts among them, by `str.format`."""
    person = {"first_name": "Ada500", "city": "Town 50"}
    html = template.render(person, message_id=MessageId(50_000), keys=_KEYS, at=_AT).html
    assert html is not None, "it has HTML"
    text = html.replace("{", "{{").replace("}", "}}")
    for name, value in person.items():
        text = text.replace(value, f"{{{name}}}", 1)
    token = re.compile(r"(?<=/r/)[a-z2-7]+")
    texts = token.findall(text)
    text = token.sub("{}", text)
    return lambda number, person: (f"Lamps for {number}", text.format(*texts, **person))


def _sample(write: Callable[[int, dict[str, str]], object], people: list[dict[str, str]]) -> Sample:
    begin = process_time()
    for number, person in enumerate(people, start=1):
        write(number, person)
    seconds = process_time() - begin
    return Sample(
        cost=seconds / len(people) * 1e6, details={"messages a second": len(people) / seconds}
    )
