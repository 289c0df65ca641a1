"""Pages for recipients and for those they share a message with. No log-in, cookies or scripts.

A token proves that somebody holds the message; one that we did not sign opens nothing. Looking,
by GET or HEAD, changes nothing: mail scanners look at every link. What is posted acts at once,
and as often as it comes: the token is the proof, so there is no token of a form beside it.

| address | page | module |
|---|---|---|
| `/m/<token>` | the message, for its recipient | `mirror` |
| `/s/<token>` | the message, for anybody | `share` |
| `/s/<token>/email`, `/s/<token>/<network>` | ways to share it | `share` |
| `/p/<token>` | what the recipient wants | `preferences` |
| `/u/<token>` | no more mail | `unsubscription` |

Source: spec §3.11, §3.12, §3.15; RFC 8058.
"""

from typing import Final

from litestar import Router
from litestar.exceptions import HTTPException

from aftersend.errors import AftersendError
from aftersend.web.public import mirror, preferences, share, unsubscription
from aftersend.web.public.answer import answer_failure, answer_http, answer_known

__all__ = ["HANDLERS"]

HANDLERS: Final = (
    Router(
        "/",
        route_handlers=[
            *mirror.HANDLERS,
            *share.HANDLERS,
            *preferences.HANDLERS,
            *unsubscription.HANDLERS,
        ],
        exception_handlers={
            HTTPException: answer_http,
            AftersendError: answer_known,
            Exception: answer_failure,
        },
    ),
)
