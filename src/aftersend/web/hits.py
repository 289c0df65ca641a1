"""Why a hit has its verdict: the rule, the hits beside it, and who sent it (architecture D7)."""

import re
from typing import Any, Final

from litestar import Request, get
from litestar.params import FromPath
from litestar.response import Template

from aftersend.errors import NotFound
from aftersend.model.ids import LogId
from aftersend.reports.explain import explain
from aftersend.reports.scope import as_of
from aftersend.web.services import Given, Services
from aftersend.web.template import page

__all__ = ["HANDLERS"]

_LOG_ID: Final = re.compile(r"[0-9A-Za-z]0x[0-9A-F]{16}")


@get("/hits/{log_id:str}", sync_to_thread=True)
def show_hit(
    request: Request[Any, Any, Any], services: Given[Services], log_id: FromPath[str]
) -> Template:
    """Say why a hit has its verdict."""
    if not _LOG_ID.fullmatch(log_id):
        raise NotFound("hit", log_id[:40])
    found = explain(services.database, services.lake, LogId(log_id), services.rules)
    agent = found.agent.agent
    programs = (f"{agent.browser} {agent.browser_version}".strip(), agent.os, agent.device)
    with services.database.read() as connection:
        fresh = as_of(connection, ())
    return page(
        request,
        "hit.html",
        found=found,
        hit=found.hit,
        identified=", ".join(each for each in programs if each),
        as_of=fresh,
    )


HANDLERS: Final = (show_hit,)
