"""Golden cases of message preparation: files that people read, one case each.

A case is a sentence, then sections that begin with `== name`::

    note                     why it is so, for people
    html, text, sms, subject the source
    recipient                `field: value` lines
    options                  lines like `is_tracked: no`, `pixel: top`, `pairs: () «»`,
                             `advice: yes`
    click formula, open formula, link parameters
                             what the delivery chose of them; its label is `News & more`
    links                    what `detect` and the catalogue say of each link
    sent subject, …          what one recipient gets
    advice                   what `lint` says
    untracked                why the message is sent as it is
    refused                  the sentence that says why the message cannot be prepared

Tokens are shown as `⟦h2⟧`: part and url id, with values behind them; `␍` is a carriage return.

`python -m tests.support.content_golden` writes what the code does now into every case: read the
difference before it is kept.
"""

import re
from pathlib import Path

from aftersend.content import (
    Addresses,
    Preparation,
    Rendered,
    Source,
    Template,
    compile_message,
    detect,
    lint,
)
from aftersend.errors import InvalidContent
from aftersend.model.catalogue import location
from aftersend.model.enumeration import PixelPlace
from aftersend.model.ids import DeliveryId, MessageId, UrlId
from aftersend.model.token import KeyRing, Token, decode

DIRECTORY = Path(__file__).parent.parent / "golden" / "content"
ADDRESSES = Addresses(redirect="https://t.example", app="https://app.example")
KEYS = KeyRing({1: bytes(16)})
DELIVERY_ID = DeliveryId(7)
MESSAGE_ID = MessageId(300)

_FORMULAS = ("click formula", "open formula", "link parameters")
_INPUTS = ("note", "html", "text", "sms", "subject", "recipient", "options", *_FORMULAS)
_TOKEN = re.compile(
    r"(?:https://(?:t|app)\.example/[rmups]/|https%3A%2F%2Fapp\.example%2Fs%2F)([a-z2-7]+)"
)


def run(case: str) -> str:
    """Write a case again with what the code makes of its input."""
    title, sections = _read(case)
    inputs = {name: text for name, text in sections.items() if name in _INPUTS}
    return _write(title, {**inputs, **_outputs(inputs)})


def tokens(text: str) -> list[Token]:
    """Read the tokens of our links in a text, in the order of their places."""
    return [decode(match[1], keys=KEYS) for match in _TOKEN.finditer(text)]


def readable(text: str) -> str:
    """Put names in place of tokens, and show carriage returns."""
    named = _TOKEN.sub(lambda match: _named(match[0], decode(match[1], keys=KEYS)), text)
    return named.replace("\r", "␍")


def compile_case(
    source: Source,
    *,
    is_tracked: bool = True,
    is_open_tracked: bool = True,
    preparation: Preparation | None = None,
) -> Template:
    """Compile with the addresses and delivery that all cases share."""
    return compile_message(
        source,
        delivery_id=DELIVERY_ID,
        addresses=ADDRESSES,
        is_tracked=is_tracked,
        is_open_tracked=is_open_tracked,
        preparation=preparation or Preparation(),
    )


def render_case(template: Template, **recipient: object) -> Rendered:
    """Render with the message and keys that all cases share."""
    return template.render(recipient, message_id=MESSAGE_ID, keys=KEYS)


def _outputs(inputs: dict[str, str]) -> dict[str, str]:
    written = {name: text.replace("␍", "\r") for name, text in inputs.items()}
    source = Source(
        inputs.get("subject", "-"), written.get("html"), written.get("text"), written.get("sms")
    )
    recipient = dict(_pairs(inputs.get("recipient", "")))
    options = dict(_pairs(inputs.get("options", "")))
    preparation = _preparation(inputs, options)
    try:
        template = compile_case(
            source,
            preparation=preparation,
            is_tracked=options.get("is_tracked") != "no",
            is_open_tracked=options.get("is_open_tracked") != "no",
        )
        rendered = render_case(template, **recipient)
    except InvalidContent as error:
        return {"refused": str(error)}
    outputs = {"links": _links(source, template, rendered, preparation)}
    if source.subject != "-":
        outputs["sent subject"] = rendered.subject
    for name in ("html", "text", "sms"):
        sent = getattr(rendered, name)
        if sent is not None:
            outputs[f"sent {name}"] = readable(sent)
    if options.get("advice") == "yes":
        outputs["advice"] = _advice(source, preparation)
    if template.untracked_reason:
        outputs["untracked"] = template.untracked_reason
    return outputs


def _preparation(inputs: dict[str, str], options: dict[str, str]) -> Preparation:
    click, opened, parameters = (inputs.get(name, "") for name in _FORMULAS)
    return Preparation(
        pairs=tuple(options.get("pairs", "() [] {}").split()),
        pixel=PixelPlace(options.get("pixel", "bottom")),
        click_formula=click,
        open_formula=opened,
        link_parameters=parameters,
        delivery={"label": "News & more", "FCP": False},
    )


def _advice(source: Source, preparation: Preparation) -> str:
    found = lint(source, addresses=ADDRESSES, preparation=preparation)
    lines = (f"{each.part.name.lower()} line {each.line}: {each.text}" for each in found)
    return "\n".join(lines) or "none"


def _links(source: Source, template: Template, rendered: Rendered, preparation: Preparation) -> str:
    lines = []
    sent = {
        token.url_id: (match[1], token.values)
        for match in _TOKEN.finditer(f"{rendered.html} {rendered.text} {rendered.sms}")
        for token in [decode(match[1], keys=KEYS)]
    }
    found = detect(source, addresses=ADDRESSES, preparation=preparation)
    for number, link in enumerate(found, start=2):
        category = f", category {link.category!r}" if link.category else ""
        mode = "" if link.mode.is_tracked else ", not tracked"
        name = f"{link.part}{number} {link.type.name} x{link.occurrences} {link.label!r}"
        lines.append(f"{name}{category}{mode}")
        lines.append(f"   source   {link.source}")
        if number in template.urls:
            text, values = sent.get(UrlId(number), ("", ()))
            target = location(template.urls[UrlId(number)], values, text)
            lines.append(f"   leads to {readable(target)}")
    return "\n".join(lines) or "none"


def _named(url: str, token: Token) -> str:
    base = url.removeprefix("https://t.example/r/").removesuffix(url.rpartition("/")[2])
    values = "".join(f" {value!r}" for value in token.values)
    return f"{base}⟦{token.part}{token.url_id}{values}⟧"


def _pairs(text: str) -> list[tuple[str, str]]:
    lines = (line.partition(": ") for line in text.splitlines() if line)
    return [(name, value.encode().decode("unicode_escape")) for name, _, value in lines]


def _read(case: str) -> tuple[str, dict[str, str]]:
    title, *parts = re.split(r"^== (.+)\n", case, flags=re.MULTILINE)
    names, texts = parts[0::2], [text.removesuffix("\n") for text in parts[1::2]]
    return title.strip(), dict(zip(names, texts, strict=True))


def _write(title: str, sections: dict[str, str]) -> str:
    return f"{title}\n\n" + "".join(f"== {name}\n{text}\n" for name, text in sections.items())


if __name__ == "__main__":
    for path in sorted(DIRECTORY.glob("*.txt")):
        path.write_text(run(path.read_text(encoding="utf-8")), encoding="utf-8")
