"""The pages as one ASGI application."""

from typing import Any, Final

from litestar import Litestar, Router, asgi
from litestar.config.compression import CompressionConfig
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import CacheControlHeader, State
from litestar.di import Provide
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.handlers import ASGIRouteHandler
from litestar.middleware.base import DefineMiddleware
from litestar.middleware.compression import CompressionMiddleware
from litestar.static_files import create_static_files_router
from litestar.template.config import TemplateConfig

from aftersend.api import app as api
from aftersend.api.backing import Backing
from aftersend.errors import AftersendError
from aftersend.platform.attempts import Attempts
from aftersend.platform.telemetry import logger
from aftersend.web import (
    audit,
    content,
    deliveries,
    hits,
    links,
    login,
    monitoring,
    properties,
    public,
    recipients,
    recompute,
    rejected,
    security,
    servers,
    tags,
    template,
    tracking,
    workflows,
)
from aftersend.web.display import Zone
from aftersend.web.failures import answer_failure, answer_http, answer_known
from aftersend.web.runner import Runner
from aftersend.web.services import Services
from aftersend.web.sessions import SessionStore

__all__ = ["build"]

_BODY_BYTES_MAX: Final = 64 * 1024
_YEAR_S: Final = 31_536_000
_COOKIE_FREE: Final = {"exclude_from_csrf": True}


def build(services: Services) -> Litestar:
    """Put the pages together.

    Raises:
        InvalidSettings: `web.time_zone` is no time zone.
    """
    web = services.settings.web
    zone = Zone.named(web.time_zone)
    sessions = SessionStore(
        services.sessions, services.clock, services.entropy, hours=web.session_hours
    )
    runner, server_runner = workflows.make_runner(services), servers.make_runner(services)
    recompute_runner = recompute.make_runner(services)
    retry_runner = rejected.make_runner(services)
    if not template.has_assets():
        logger("web").warning("styles and scripts are not built: run `make setup`")
    shared = {
        "services": services,
        "sessions": sessions,
        "runner": runner,
        "server_runner": server_runner,
        "recompute_runner": recompute_runner,
        "retry_runner": retry_runner,
        "attempts": Attempts(services.clock),
        "zone": zone,
    }
    return Litestar(
        route_handlers=[
            _static(),
            _api(services, runner),
            *_open_doors(),
            _behind_the_door(),
        ],
        dependencies={name: _provide(value) for name, value in shared.items()},
        state=State({"services": services, "sessions": sessions}),
        template_config=TemplateConfig(instance=template.engine(zone=zone, clock=services.clock)),
        csrf_config=CSRFConfig(
            secret=web.secret,
            cookie_name="aftersend_csrf",
            cookie_httponly=True,
            cookie_secure=services.addresses.app.startswith("https://"),
        ),
        exception_handlers={
            NotAuthorizedException: login.to_login,
            HTTPException: answer_http,
            AftersendError: answer_known,
            Exception: answer_failure,
        },
        before_send=[security.harden],
        request_max_body_size=_BODY_BYTES_MAX,
        on_shutdown=[
            each.close for each in (runner, server_runner, recompute_runner, retry_runner)
        ],
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _static() -> Router:
    return create_static_files_router(
        path="/static",
        directories=[template.STATIC],
        cache_control=CacheControlHeader(max_age=_YEAR_S, public=True, immutable=True),
        middleware=[
            DefineMiddleware(
                CompressionMiddleware, config=CompressionConfig("gzip", gzip_compress_level=6)
            )
        ],
        opt=_COOKIE_FREE,
    )


def _api(services: Services, runner: Runner) -> ASGIRouteHandler:
    backing = Backing(
        database=services.database,
        lake=services.lake,
        clock=services.clock,
        attempts=Attempts(services.clock),
        rules=lambda: services.rules,
        start_run=runner.start,
        recompute=services.recompute,
    )
    mounted = asgi(api.PREFIX, is_mount=True, copy_scope=True, opt=_COOKIE_FREE)
    return mounted(api.build(backing))


def _open_doors() -> list[Router]:
    return [
        Router("/", route_handlers=[*public.HANDLERS, *monitoring.HANDLERS], opt=_COOKIE_FREE),
        Router("/", route_handlers=list(login.PUBLIC)),
    ]


def _behind_the_door() -> Router:
    return Router(
        "/",
        route_handlers=[
            *login.PRIVATE,
            *deliveries.HANDLERS,
            *recompute.HANDLERS,
            *content.HANDLERS,
            *links.HANDLERS,
            *properties.HANDLERS,
            *tracking.HANDLERS,
            *recipients.HANDLERS,
            *workflows.HANDLERS,
            *servers.HANDLERS,
            *tags.HANDLERS,
            *audit.HANDLERS,
            *rejected.HANDLERS,
            *hits.HANDLERS,
        ],
        middleware=[DefineMiddleware(login.Door)],
    )


def _provide(value: Any) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)
