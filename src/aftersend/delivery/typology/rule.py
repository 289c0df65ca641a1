"""The rules of the typology: what each looks at, how bad a finding is, what to do about it.

The table is the one place that knows them. `docs/guide/analysis.md` shows it to people.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aftersend.database.deliveries import Check
from aftersend.errors import InvalidSettings
from aftersend.model.enumeration import Severity

__all__ = ["RULES", "Rule", "check_levels", "finding", "judged"]

_LEVELS: Final[Mapping[str, Severity | None]] = {
    "off": None,
    "info": Severity.INFO,
    "warning": Severity.WARNING,
    "error": Severity.ERROR,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with its usual level; one that is fixed can be neither switched off nor eased."""

    name: str
    level: Severity
    looks_at: str
    to_do: str
    is_fixed: bool = False


def _table(*rules: Rule) -> Mapping[str, Rule]:
    return {rule.name: rule for rule in rules}


RULES: Final = _table(
    Rule(
        "content",
        Severity.ERROR,
        "a script, instruction, value or address that the message cannot be made with",
        "mend the place that is named",
        is_fixed=True,
    ),
    Rule(
        "target",
        Severity.ERROR,
        "a target without anybody",
        "add recipients, or seed addresses to a proof",
        is_fixed=True,
    ),
    Rule("subject", Severity.ERROR, "an empty subject", "write one"),
    Rule(
        "rendering-all",
        Severity.ERROR,
        "a message that could be written to nobody of the first 100 people",
        "mend the script or the field that is named",
    ),
    Rule(
        "proof-size",
        Severity.ERROR,
        "a proof to more addresses than `delivery.proof_size_max`",
        "send it to fewer people",
    ),
    Rule(
        "rendering",
        Severity.WARNING,
        "people among the first 100 whom the message could not be written to",
        "let scripts expect fields that are empty",
    ),
    Rule(
        "untracked",
        Severity.WARNING,
        "a message that is not understood and so would be sent without tracking",
        "mend the place that is named",
    ),
    Rule(
        "characters",
        Severity.WARNING,
        "a subject or sender with invisible, broken or wrongly encoded characters",
        "write them anew",
    ),
    Rule(
        "personalisation",
        Severity.WARNING,
        "a field, in a text or a script, that is empty for everybody who was looked at",
        "correct its name, or import it",
    ),
    Rule(
        "unsubscription-link",
        Severity.WARNING,
        "an HTML or text part without a link to unsubscribe",
        "add the block `UnsubscriptionLink`, or set a link to `opt-out`",
    ),
    Rule(
        "url-label", Severity.WARNING, "a tracked link without a label", "give it one for reports"
    ),
    Rule(
        "url-approval",
        Severity.WARNING,
        "an address of an image or over 2,048 bytes, with spaces, `&amp;` left in it or single"
        " brackets, or with a host that cannot be read",
        "correct or shorten it",
    ),
    Rule(
        "relative-link",
        Severity.WARNING,
        "a link without a host, or `www.` without a scheme, which is not tracked",
        "write the whole address, or a `<base href>`",
    ),
    Rule(
        "foreign-placeholder",
        Severity.WARNING,
        "a placeholder of another product, such as `{{name}}`",
        "write `<%= recipient.name %>`",
    ),
    Rule(
        "pixel-place",
        Severity.WARNING,
        "a pixel that is to stand at a place of its own and has none, or a place without it",
        "add the block `OpenPixel`, or set the pixel of the delivery",
    ),
    Rule(
        "phishing",
        Severity.WARNING,
        "a link whose visible text is an address while it leads to another one",
        "write words in its place, or set the link to `not-tracked`",
    ),
    Rule(
        "sensitive-link",
        Severity.WARNING,
        "a tracked link that lets somebody in: to reset a password, to verify, to log in",
        "set it to `not-tracked`, or to `opt-out` if it unsubscribes",
    ),
    Rule(
        "plain-http",
        Severity.WARNING,
        "links, or our own public addresses, without TLS",
        "write https",
    ),
    Rule(
        "size",
        Severity.WARNING,
        "HTML over 60 KB, and over 102 KB, where Gmail cuts it off",
        "shorten it",
    ),
    Rule(
        "mirror-link",
        Severity.WARNING,
        "a link to the mirror page of a message that has none",
        "make one, or take the link out",
    ),
    Rule(
        "validity",
        Severity.WARNING,
        "links that expire within a day, or before the pages that show them",
        "let them live longer, or name a page for expired links",
    ),
    Rule(
        "tracking-server",
        Severity.WARNING,
        "a public address that was never verified, or not for 30 days, or led elsewhere; a tracking"
        " server that is not registered, does not answer or could not be told of the links",
        "see the page Tracking servers, or run `aftersend tracking server verify`",
    ),
    Rule(
        "tracking-host",
        Severity.INFO,
        "a tracking server whose public address is not under the domain of the sender",
        "give it a name there",
    ),
    Rule(
        "substitution",
        Severity.INFO,
        "a page for expired links while links never expire",
        "set how long links last",
    ),
    Rule(
        "deep-link",
        Severity.INFO,
        "a link that opens an app, which is not tracked",
        "lead people to an https address that the app answers to",
    ),
    Rule(
        "text-part",
        Severity.INFO,
        "a message without a text part",
        "add one: some filters and readers prefer mail that has it",
    ),
)
"""All rules by name, the gravest first."""


def finding(name: str, text: str) -> Check:
    """Say that a rule found something, at its usual level."""
    return Check(RULES[name].level, name, text)


def check_levels(levels: Mapping[str, str]) -> None:
    """Look whether every rule whose level is set is there and may have another one.

    Raises:
        InvalidSettings: one is not; the sentence names those there are.
    """
    for name in levels:
        if name not in RULES:
            known = ", ".join(name for name, rule in RULES.items() if not rule.is_fixed)
            raise InvalidSettings(
                f"delivery.checks names the rule {name!r}, which is not one of {known}."
            )
        if RULES[name].is_fixed:
            raise InvalidSettings(
                f"delivery.checks names the rule {name!r}: its level cannot be changed, because"
                " such a delivery cannot be sent."
            )


def judged(checks: Iterable[Check], levels: Mapping[str, str]) -> list[Check]:
    """Give findings the levels that were set, by rule; leave those out that are switched off."""
    kept = []
    for check in checks:
        level = _LEVELS[levels[check.rule]] if check.rule in levels else check.level
        if level is not None:
            kept.append(Check(level, check.rule, check.text))
    return kept
