"""Answers when something is wrong: ``{"error": "one sentence"}`` with the status that fits."""

from dataclasses import dataclass
from typing import Any, Final

from litestar import Request
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import Response

from aftersend.errors import Busy, Gone, InvalidInput, NotFound, Transient
from aftersend.platform.telemetry import logger

__all__ = ["PROBLEMS", "Problem", "answer_failure", "answer_http", "answer_known"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, in one sentence."""

    error: str


def _problem(description: str) -> ResponseSpec:
    return ResponseSpec(Problem, description=description, generate_examples=False)


PROBLEMS: Final = {
    400: _problem("Something in the request is wrong."),
    401: _problem("The token is missing or unknown."),
    404: _problem("There is no such thing."),
    409: _problem("Somebody else is doing this very thing."),
}
"""What every address may answer, for its description."""

_SENTENCES: Final = {
    400: "The request does not make sense: something in it is missing or misspelt.",
    401: "Send a token that is known: Authorization: Bearer aftersend_…",
    404: "There is nothing at this address; /api/v1/schema lists what there is.",
    405: "This address does not take that method; /api/v1/schema lists what there is.",
    413: "The request is larger than this server takes.",
    415: "Send JSON: Content-Type: application/json",
    429: "Too many wrong tokens came from your address. Wait a minute, then try again.",
}
_STATUS_OF: Final = (
    (NotFound, 404),
    (Gone, 410),
    (Busy, 409),
    (InvalidInput, 400),
    (Transient, 503),
)
_FAULT: Final = "Something went wrong in Aftersend; the server's log says more."


def answer_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, str]]:
    """Answer what the framework refused; say which field is wrong, where it knows."""
    status = error.status_code
    sentence = _SENTENCES.get(status, _FAULT)
    extra = error.extra if isinstance(error.extra, list) else []
    wrong = [one for one in extra if isinstance(one, dict)]
    # A body that is missing is told by the name of a parameter of ours, which nobody knows.
    wrong = [one for one in wrong if one.get("message") != "'data'"]
    if status == 400 and wrong:
        told = "; ".join(f"{_place(one)}{one.get('message', '')}" for one in wrong)
        sentence = f"{told.rstrip('.')}."
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    allowed = (error.headers or {}).get("Allow")
    if allowed:
        headers["Allow"] = allowed
    return Response({"error": sentence}, status_code=status, headers=headers)


def answer_known(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, str]]:
    """Answer an error of ours with its sentence."""
    status = next((code for kind, code in _STATUS_OF if isinstance(error, kind)), 500)
    if status >= 500:
        logger("api").warning("request failed", path=request.url.path, error=str(error))
    return Response({"error": str(error)}, status_code=status)


def answer_failure(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, str]]:
    """Answer a fault of ours; the log gets the traceback."""
    logger("api").error("request broke", path=request.url.path, exc_info=error)
    return Response({"error": _FAULT}, status_code=500)


def _place(wrong: dict[str, Any]) -> str:
    key = wrong.get("key", "data")
    return "" if key == "data" else f"{key}: "
