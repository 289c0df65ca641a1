"""The API as one ASGI application, which the pages mount below ``/api``.

Programs bring a token in each request. There are no sessions and no cookies here, so a page of
somebody else cannot make a browser ask for anything.
Source: contract, "Addresses of the app".
"""

from typing import Any, Final

from litestar import Litestar, Response, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware.base import DefineMiddleware
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Server

from aftersend.api import deliveries, workflows
from aftersend.api.backing import Backing
from aftersend.api.door import Door
from aftersend.api.failures import answer_failure, answer_http, answer_known
from aftersend.errors import AftersendError
from aftersend.platform.release import build as release

__all__ = ["PREFIX", "build"]

PREFIX: Final = "/api"
"""Where the pages mount it."""

_BODY_BYTES_MAX: Final = 64 * 1024
_ABOUT: Final = (
    "Every request brings a token in the header `Authorization: Bearer …`; tokens are made with"
    ' `aftersend api-token create`. What goes wrong is answered as `{"error": "one sentence"}`.'
    " Times are in UTC."
)


def build(backing: Backing) -> Litestar:
    """Put the API together."""
    return Litestar(
        route_handlers=[
            Router(
                "/v1",
                route_handlers=[*workflows.HANDLERS, *deliveries.HANDLERS],
                middleware=[DefineMiddleware(Door)],
                security=[{"token": []}],
            )
        ],
        dependencies={"backing": Provide(lambda: backing, sync_to_thread=False)},
        state=State({"backing": backing}),
        openapi_config=OpenAPIConfig(
            title="Aftersend",
            version=release(),
            description=_ABOUT,
            path="/v1/schema",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            servers=[Server(url=PREFIX)],
            components=Components(
                security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}
            ),
        ),
        exception_handlers={
            HTTPException: answer_http,
            AftersendError: answer_known,
            Exception: answer_failure,
        },
        after_request=_fresh,
        request_max_body_size=_BODY_BYTES_MAX,
        logging_config=None,
        debug=False,
    )


async def _fresh(response: Response[Any]) -> Response[Any]:
    response.headers["Cache-Control"] = "no-store"
    return response
