"""Answers when something is wrong, in the look of the pages and without a traceback."""

from http import HTTPStatus
from typing import Any, Final

from litestar import MediaType, Request
from litestar.exceptions import HTTPException
from litestar.response import Response, Template

from aftersend.errors import Busy, Gone, InvalidInput, NotFound, Transient
from aftersend.platform.telemetry import logger

__all__ = ["answer_failure", "answer_http", "answer_known"]

_WORDS: Final = {
    400: ("This address does not make sense", "Something in it is missing or misspelt."),
    403: ("This form has expired", "Go back, reload the page and send it again."),
    404: ("There is nothing here", "The page was never here, or is gone."),
    405: ("This address cannot be used that way", "Go back and use the page's own buttons."),
    410: ("This is over", "What was here was shown for a limited time."),
    413: ("That is too much", "What you sent is larger than this server takes."),
    429: ("Too many requests", "Wait a minute, then try again."),
}
_TROUBLE: Final = ("Something went wrong", "It is not your fault. The server's log says more.")
_STATUS_OF: Final = (
    (NotFound, 404),
    (Gone, 410),
    (Busy, 409),
    (InvalidInput, 400),
    (Transient, 503),
)


def answer_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Answer what the framework refused."""
    title, text = _WORDS.get(error.status_code, _TROUBLE)
    return _answer(request, error.status_code, title, text)


def answer_known(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer an error of ours: its sentence is for people."""
    status = next((code for kind, code in _STATUS_OF if isinstance(error, kind)), 500)
    if status >= 500:
        logger("web").warning("page failed", path=request.url.path, error=str(error))
    title = _WORDS[status][0] if status in (404, 410) else "That could not be done"
    return _answer(request, status, title, str(error))


def answer_failure(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer a fault of ours: the log gets the traceback, people get a page."""
    logger("web").error("page broke", path=request.url.path, exc_info=error)
    return _answer(request, 500, *_TROUBLE)


def _answer(request: Request[Any, Any, Any], status: int, title: str, text: str) -> Response[Any]:
    accepted = request.headers.get("accept", "*/*")
    if "text/html" not in accepted and "*/*" not in accepted:
        return Response(f"{title}. {text}\n", status_code=status, media_type=MediaType.TEXT)
    context = {"status": status, "phrase": HTTPStatus(status).phrase, "title": title, "text": text}
    return Template("error.html", context=context, status_code=status)
