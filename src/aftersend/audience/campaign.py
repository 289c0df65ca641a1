"""Deliveries of a made-up shop, to have something believable to send."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final

__all__ = ["SENDER", "Campaign", "campaign"]

SENDER: Final = "Harbour & Pine <news@shop.example>"

_STORIES: Final = (
    (
        "Spring collection",
        "The spring collection is here, <%= recipient.first_name %>",
        "Light for longer evenings",
        "Twelve new lamps and a bench, made from last winter's storm wood. They are few, so we"
        " show them to you first.",
        "See the collection",
    ),
    (
        "Weekly digest",
        "Five good things this week",
        "Five good things this week",
        "A repair that took four hands, a recipe for glue, and what our apprentices learned about"
        " oak. Have a quiet read.",
        "Read on",
    ),
    (
        "Members' evening",
        "An invitation for you, <%= recipient.first_name %>",
        "Come and see us on Thursday",
        "The workshop stays open until ten. There will be soup, sawdust and somebody to answer"
        " every question.",
        "Save your seat",
    ),
    (
        "Customer survey",
        "Two minutes for a better chair?",
        "Tell us how you sit",
        "We are designing a chair and have three questions. Your answers decide where the"
        " armrest goes.",
        "Answer three questions",
    ),
    (
        "End-of-season offer",
        "A quarter off, until Sunday",
        "A quarter off what is left",
        "The season ends and the shelves have to be free. What is left costs a quarter less"
        " until Sunday night.",
        "Take a look",
    ),
)


@dataclass(frozen=True, slots=True)
class Campaign:
    """One delivery to be made."""

    label: str
    subject: str
    html: str
    text: str


def campaign(number: int) -> Campaign:
    """Write delivery `number`, from 0; labels of later rounds carry the round."""
    label, subject, headline, lead, action = _STORIES[number % len(_STORIES)]
    lap = number // len(_STORIES) + 1
    slug = label.lower().replace("'", "").replace(" ", "-")
    words = {"HEADLINE": headline, "LEAD": lead, "ACTION": action, "SLUG": slug}
    return Campaign(
        label=label if lap == 1 else f"{label} {lap}",
        subject=subject,
        html=_fill("newsletter.html", words),
        text=_fill("newsletter.txt", words),
    )


def _fill(name: str, words: dict[str, str]) -> str:
    text = files("aftersend.audience").joinpath(name).read_text("utf-8")
    for word, value in words.items():
        text = text.replace(f"%%{word}%%", value)
    return text
