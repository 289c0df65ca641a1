"""Computing delivery and tracking indicators of deliveries anew (spec §2.4).

It may take a while: it runs in a thread of its own, and the page that leads back tells how it goes.
The deliveries stand in the address, as ``computed=12,13``, so that a reload asks for nothing.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote

from litestar import Request, post
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect

from aftersend.database import deliveries
from aftersend.database.operators import Operator
from aftersend.errors import Busy, InvalidInput
from aftersend.model.ids import ID_MAX, DeliveryId
from aftersend.web.listing import ROWS
from aftersend.web.runner import Runner
from aftersend.web.services import Given, Services

__all__ = ["HANDLERS", "Job", "job", "make_runner"]

_PARAMETER: Final = "computed"

_Repeated = Annotated[dict[str, str | list[str]], Body(media_type=RequestEncodingType.URL_ENCODED)]


@dataclass(frozen=True, slots=True)
class Job:
    """A computation that was asked for: of how many deliveries, and how it goes."""

    count: int
    is_running: bool
    problem: str


@dataclass(frozen=True, slots=True)
class _Done:
    def check(self) -> None:
        """Find nothing wrong: what went wrong was raised."""


def make_runner(services: Services) -> Runner:
    """Make what computes when somebody asks for it."""

    def run(key: str, operator: str) -> _Done:
        services.recompute(_numbers(key), operator)
        return _Done()

    return Runner(run)


def job(request: Request[Any, Any, Any], runner: Runner) -> Job | None:
    """Tell how the computation goes that the address of a page speaks of, if it does of one."""
    try:
        numbers = _numbers(request.query_params.get(_PARAMETER, ""))
    except InvalidInput:
        return None
    key = _key(numbers)
    if not numbers or not runner.knows(key):
        return None
    return Job(len(numbers), runner.is_running(key), runner.problem(key))


@post("/deliveries/recompute", sync_to_thread=True)
def recompute(
    request: Request[Operator, Any, Any],
    data: _Repeated,
    services: Given[Services],
    recompute_runner: Given[Runner],
) -> Redirect:
    """Compute the chosen deliveries anew, and go back to where that was asked for."""
    given = data.get("delivery", [])
    numbers = _numbers(",".join([given] if isinstance(given, str) else given))
    if not numbers:
        return Redirect("/deliveries", status_code=303)
    with services.database.read() as connection:
        for number in numbers:
            deliveries.get(connection, number)
    # Pressed twice: the page shows the one that goes on.
    with suppress(Busy):
        recompute_runner.start(_key(numbers), request.user.name)
    is_one = data.get("back") == "delivery"
    page = f"/deliveries/{numbers[0]}/tracking" if is_one else "/deliveries"
    return Redirect(f"{page}?{_PARAMETER}={quote(_key(numbers))}", status_code=303)


HANDLERS: Final = (recompute,)


def _numbers(text: str) -> list[DeliveryId]:
    """Read numbers of deliveries, each once.

    Raises:
        InvalidInput: something else stands there, or too much.
    """
    parts = [part for part in text.split(",") if part]
    if len(parts) > ROWS or not all(part.isdecimal() and part.isascii() for part in parts):
        raise InvalidInput(f"Choose at most {ROWS} deliveries.")
    numbers = sorted({int(part) for part in parts})
    if numbers and numbers[-1] > ID_MAX:
        raise InvalidInput("There is no such delivery.")
    return [DeliveryId(number) for number in numbers]


def _key(numbers: list[DeliveryId]) -> str:
    return ",".join(map(str, numbers))
