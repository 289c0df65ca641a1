"""What the public pages have in common: whose token it is, and what to say when it is nobody's."""

from typing import Any, Final

from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from litestar.response import Template

from aftersend.delivery.address import read_sender
from aftersend.delivery.share import is_handed_out
from aftersend.errors import Gone, InvalidInput, InvalidToken, NotFound
from aftersend.model.ids import NO_URL_ID, MessageId
from aftersend.model.token import Token, decode, encode
from aftersend.platform.telemetry import logger
from aftersend.web.services import Services

__all__ = [
    "answer_failure",
    "answer_http",
    "answer_known",
    "clean_token",
    "nothing",
    "probe",
    "recipient_message",
    "sender_name",
    "show",
]

_NOTHING: Final = (
    "This link does not work",
    "It is incomplete, or the message is gone. Open the link in the message once more, or reply to"
    " the message and ask its sender.",
)
_OVER: Final = (
    "This page is not shown any more",
    "Pages of a message are shown for a limited time, and that is over. The message itself is still"
    " in the mailbox.",
)
_MISUSED: Final = ("That did not work", "Open the link in the message once more and try again.")
_TROUBLE: Final = ("Something went wrong", "It is not your fault. Try again in a few minutes.")


def recipient_message(services: Services, text: str) -> MessageId:
    """Tell which message a token opens for its recipient.

    Raises:
        InvalidToken: it is not one of ours.
        NotFound: others than the recipient may know it.
    """
    token = decode(text, keys=services.keys)
    with services.database.read() as connection:
        if is_handed_out(connection, token):
            raise NotFound("recipient of token", text)
    return token.message_id


def clean_token(services: Services, text: str) -> str:
    """Spell a token without what a click left in it: for links from one page to another."""
    token = decode(text, keys=services.keys)
    bare = Token(token.part, token.delivery_id, token.message_id, NO_URL_ID)
    return encode(bare, keys=services.keys)


def show(name: str, **context: Any) -> Template:
    """Draw a page."""
    return Template(name, context=context)


def nothing(words: tuple[str, str], status_code: int = 404) -> Template:
    """Draw a page that says why there is none: a title and a text."""
    title, text = words
    return Template("nothing.html", context={"title": title, "text": text}, status_code=status_code)


def probe(answer: Response[Any]) -> Response[None]:
    """Answer HEAD as GET would be answered, without a body."""
    status = answer.status_code or 200
    return Response(
        None, status_code=status, headers=dict(answer.headers), media_type=MediaType.HTML
    )


def sender_name(sender: str) -> str:
    """Give the name of a sender, else his address."""
    try:
        name, address = read_sender(sender)
    except InvalidInput:
        return sender
    return name or address


def answer_known(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer an error of ours in words for somebody who knows nothing of us."""
    if isinstance(error, Gone):
        return _answered(request, nothing(_OVER, 410))
    if isinstance(error, InvalidToken | NotFound):
        return _answered(request, nothing(_NOTHING))
    if isinstance(error, InvalidInput):
        return _answered(request, nothing(_MISUSED, 400))
    logger("web").warning("public page failed", path=request.url.path[:3], error=str(error))
    return _answered(request, nothing(_TROUBLE, 503))


def answer_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Answer what the framework refused."""
    words = _TROUBLE if error.status_code >= 500 else _MISUSED
    return _answered(request, nothing(words, error.status_code))


def answer_failure(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer a fault of ours: the log gets the traceback, people get a page."""
    logger("web").error("public page broke", path=request.url.path[:3], exc_info=error)
    return _answered(request, nothing(_TROUBLE, 500))


def _answered(request: Request[Any, Any, Any], page: Response[Any]) -> Response[Any]:
    return probe(page) if request.method == "HEAD" else page
