"""What became of deliveries: their report, computing it anew, and why a hit has its verdict."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from litestar import Request, get, post
from litestar.params import FromQuery, JSONBody, PathParameter
from msgspec import Meta

from aftersend.api.backing import Backing, Given
from aftersend.api.failures import PROBLEMS
from aftersend.model.ids import ID_MAX, DeliveryId, LogId
from aftersend.reports import render, tracking_indicators
from aftersend.reports.explain import explain
from aftersend.reports.scope import Scope

__all__ = ["HANDLERS"]

Id = Annotated[int, PathParameter(ge=0, le=ID_MAX)]
Hit = Annotated[str, PathParameter(pattern=r"^[0-9A-Za-z]0x[0-9A-F]{16}$")]
OneId = Annotated[int, Meta(ge=1, le=ID_MAX)]

_DELIVERIES_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Deliveries by their numbers."""

    deliveries: Annotated[list[OneId], Meta(min_length=1, max_length=_DELIVERIES_MAX)]


@dataclass(frozen=True, slots=True)
class Recomputed:
    """How many deliveries were computed anew; those whose raw hits are gone stay as they are."""

    deliveries: int


@post("/recompute", sync_to_thread=True, status_code=200, responses=PROBLEMS)
def recompute(
    request: Request[str, Any, Any], backing: Given[Backing], data: JSONBody[Wanted]
) -> Recomputed:
    """Compute delivery and tracking indicators of some deliveries anew; answers when it is done."""
    wanted = [DeliveryId(number) for number in dict.fromkeys(data.deliveries)]
    return Recomputed(backing.recompute(wanted, request.user))


@get("/deliveries/{delivery_id:int}/report", sync_to_thread=True, responses=PROBLEMS)
def show_report(
    backing: Given[Backing], delivery_id: Id, all_hits: FromQuery[bool] = False
) -> dict[str, Any]:
    """Give the report Tracking indicators of a delivery, as `aftersend report` prints it."""
    scope = Scope(deliveries=[DeliveryId(delivery_id)], is_all_hits=all_hits, rules=backing.rules())
    return render.document(tracking_indicators.report(backing.database, backing.lake, scope))


@get("/hits/{log_id:str}", sync_to_thread=True, responses=PROBLEMS)
def explain_hit(backing: Given[Backing], log_id: Hit) -> dict[str, Any]:
    """Say why a hit has its verdict, as `aftersend tracking explain` prints it."""
    found = explain(backing.database, backing.lake, LogId(log_id), backing.rules())
    return render.explanation_document(found)


HANDLERS: Final = (recompute, show_report, explain_hit)
