"""What stands on a page for a web tag: a script, what is shown without scripts, or a server's call.

An instance may have HTML of its own, the option ``NmsTracking_WebFormula``, in which are replaced:

==================  ================================================================================
``$(server)``       the tracking server, such as ``https://t.example.com``
``$(tagid)``        the identifier of the tag, fit for an address
``$(query)``        everything after the question mark, for scripts: ``tagid=order&amount=AMOUNT…``
``$(query_html)``   the same for attributes of HTML, with ``&amp;``
``$(label)``        the label, fit for HTML
``$(type)``         ``web`` or ``transaction``
==================  ================================================================================

Source: spec §4.5, §2.3.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection

from aftersend.database import options
from aftersend.database.tags import Tag
from aftersend.delivery.office import PostOffice, unknown_brand
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import UrlType

__all__ = [
    "FORMULA_OPTION",
    "Filling",
    "formula_of",
    "html_of",
    "markers",
    "server_call",
    "server_of",
]

FORMULA_OPTION: Final = "NmsTracking_WebFormula"
PARAMETERS_MAX: Final = 20
_OWN: Final = frozenset(("tagid", "amount", "article", "id"))
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
# Nothing that ends a text of a script, an attribute or a pair of a query; templates' signs may.
_VALUE: Final = re.compile(r"[A-Za-z0-9_.,:;@*~/|=$(){}\[\]-]{1,100}")
_PLACEHOLDER: Final = re.compile(r"\$\((\w+)\)")

_REFUSED: Final = r"/(?:^|;\s*)acoptout=1(?:;|$)/.test(document.cookie)"
_ALLOWED: Final = r"/(?:^|;\s*)acoptout=0(?:;|$)/.test(document.cookie)"

_SENDING: Final = """\
    var values = %(values)s;
    var query = Object.keys(values).map(function (name) {
      return name + "=" + encodeURIComponent(values[name]);
    }).join("&");
    var image = new Image(0, 0);
    image.alt = "";
    image.src = %(server)s + "/r/" + String(Math.random()).slice(2) + "?" + query;"""

_PLAIN: Final = """\
<!-- %(comment)s -->
<script>
  (function () {
    if (%(refused)s) return;
%(sending)s
  })();
</script>
<noscript><img src="%(address)s" width="0" height="0" alt=""></noscript>
"""

_AFTER_CONSENT: Final = """\
<!-- %(comment)s -->
<script>
  (function () {
    if (%(allowed)s) return send();
    document.addEventListener("aftersend:consent", function hear(event) {
      if (event.detail.choice !== "allow") return;
      document.removeEventListener("aftersend:consent", hear);
      send();
    });
    function send() {
%(sending)s
    }
  })();
</script>
"""


@dataclass(frozen=True, slots=True)
class Filling:
    """What a tag says beside its identifier; an empty value is a marker for the page to replace.

    With `is_consent_needed` the tag waits until the visitor allows it by the consent script.

    Raises:
        InvalidInput: a name or value could not stand in a tag.
    """

    amount: str = ""
    article: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    is_consent_needed: bool = False

    def __post_init__(self) -> None:
        """Refuse what would break the page it is put on."""
        if len(self.parameters) > PARAMETERS_MAX:
            raise InvalidInput(f"A tag has at most {PARAMETERS_MAX} parameters of its own.")
        for name in self.parameters:
            if not _NAME.fullmatch(name) or name in _OWN:
                raise InvalidInput(
                    f"{name[:100]!r} cannot name a parameter of a tag: take up to 64 letters, "
                    f"digits, _, . and -, and none of {', '.join(sorted(_OWN))}."
                )
        values = {"amount": self.amount, "article": self.article, **self.parameters}
        for name, value in values.items():
            if value and not _VALUE.fullmatch(value):
                raise InvalidInput(
                    f"{value[:100]!r} cannot stand as {name} in a tag: leave it out, and fill it in"
                    " on the page."
                )


def formula_of(connection: Connection) -> str:
    """Give the HTML that the instance has in place of the usual one; empty: it has none."""
    try:
        return options.get(connection, FORMULA_OPTION)
    except NotFound:
        return ""


def server_of(office: PostOffice, brand: str) -> str:
    """Give the public address of the tracking servers, of a brand when one is named.

    Raises:
        InvalidInput: there is no such brand.
    """
    if not brand:
        return office.addresses.redirect
    if brand not in office.brands:
        raise InvalidInput(unknown_brand(brand, office.brands))
    return office.brands[brand].redirect


def html_of(tag: Tag, filling: Filling, *, server: str, formula: str = "") -> str:
    """Write the HTML of a tag for the pages that it stands on.

    `server` is the public address of the tracking server, without a slash at its end.

    Raises:
        InvalidInput: a web page was given an amount or articles, or the formula of the instance
            has a placeholder that nobody knows.
    """
    values = _values(tag, filling)
    if formula:
        return _fill(formula, tag, values, server)
    marks = markers(tag, filling)
    comment = f"Web tag {tag.label} ({tag.type.slug})"
    if marks:
        comment += f": replace {', '.join(marks)}"
    listed = _script(values, indent=2).replace("\n", "\n    ")
    sending = _SENDING % {"values": listed, "server": _script(server)}
    if filling.is_consent_needed:
        indented = "\n".join(f"  {line}" for line in sending.split("\n"))
        return _AFTER_CONSENT % {
            "comment": _comment(comment),
            "allowed": _ALLOWED,
            "sending": indented,
        }
    return _PLAIN % {
        "comment": _comment(f"{comment} in both places" if marks else comment),
        "refused": _REFUSED,
        "sending": sending,
        "address": escape(f"{server}/r/0?{_query(values)}"),
    }


def server_call(tag: Tag, filling: Filling, *, server: str) -> str:
    """Write the address that a server of the site calls in place of the visitor's browser.

    It forwards the visitor's cookies ``nlid``, ``uuid230``, ``nllastdelid`` and ``acoptout``, and
    passes on the ``Set-Cookie`` of the answer.
    """
    return f"{server}/r/0?{_query(_values(tag, filling))}"


def markers(tag: Tag, filling: Filling) -> list[str]:
    """List what the page has to replace, such as ``AMOUNT``."""
    values = {"amount": filling.amount, "article": filling.article}
    own = values if tag.type is UrlType.TRANSACTION else {}
    return [name.upper() for name, value in (own | dict(filling.parameters)).items() if not value]


def _values(tag: Tag, filling: Filling) -> dict[str, str]:
    values = {"tagid": tag.tag_id}
    if tag.type is UrlType.TRANSACTION:
        values |= {"amount": filling.amount, "article": filling.article}
    elif filling.amount or filling.article:
        raise InvalidInput("Only a transaction has an amount and articles.")
    values |= filling.parameters
    return {name: value or name.upper() for name, value in values.items()}


def _query(values: Mapping[str, str]) -> str:
    """Spell a query; what a template language replaces stays as it is."""
    rest = (f"{name}={value}" for name, value in values.items() if name != "tagid")
    return "&".join((f"tagid={quote(values['tagid'], safe='')}", *rest))


def _fill(formula: str, tag: Tag, values: Mapping[str, str], server: str) -> str:
    query = _query(values)
    known = {
        "server": server,
        "tagid": quote(tag.tag_id, safe=""),
        "query": query,
        "query_html": escape(query),
        "label": escape(tag.label),
        "type": tag.type.slug,
    }

    def replaced(match: re.Match[str]) -> str:
        if match[1] not in known:
            names = ", ".join(f"$({name})" for name in known)
            raise InvalidInput(
                f"The option {FORMULA_OPTION} has {match[0]}, which nobody knows: take {names}."
            )
        return known[match[1]]

    return _PLACEHOLDER.sub(replaced, formula).rstrip("\n") + "\n"


def _script(value: object, *, indent: int | None = None) -> str:
    """Spell a value for a script inside HTML."""
    return json.dumps(value, indent=indent).replace("<", "\\u003c")


def _comment(text: str) -> str:
    return escape(text, quote=False).replace("--", "–")
