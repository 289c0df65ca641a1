"""The templates: where they are, and what they may call."""

from hashlib import blake2b
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from litestar import Request
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template

from aftersend.platform.clock import Clock
from aftersend.web import display
from aftersend.web.display import Zone

__all__ = ["STATIC", "engine", "has_assets", "page"]

STATIC: Final = Path(__file__).parent / "static"
_TEMPLATES: Final = Path(__file__).parent / "templates"


def engine(*, zone: Zone, clock: Clock) -> JinjaTemplateEngine:
    """Make the engine; everything that templates print is escaped, names they miss are errors."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        date_time=zone.date_time,
        short=zone.short,
        number=display.number,
        percent=display.percent,
        quantity=display.quantity,
        duration=display.duration,
        middle=display.middle,
        relative=lambda at: display.relative(at, clock.now()),
    )
    versions = {
        str(path.relative_to(STATIC)): blake2b(path.read_bytes(), digest_size=6).hexdigest()
        for path in STATIC.rglob("*")
        if path.is_file()
    }
    environment.globals.update(
        zone=zone.name,
        with_query=_with_query,
        asset=lambda name: f"/static/{name}?v={versions.get(name, '0')}",
    )
    return JinjaTemplateEngine.from_environment(environment)


def has_assets() -> bool:
    """Tell whether the styles and scripts from npm were built."""
    return (STATIC / "vendor" / "LICENCES.txt").is_file()


def page(request: Request[Any, Any, Any], name: str, **context: Any) -> Template:
    """Draw a page for the operator who asks."""
    return Template(name, context={"operator": request.user, "path": request.url.path, **context})


@pass_context
def _with_query(context: Context, **changes: Any) -> str:
    """Spell the address of this page with some of its parameters changed; empty ones go."""
    request: Request[Any, Any, Any] = context["request"]
    parameters = {**dict(request.query_params.items()), **changes}
    kept = {name: value for name, value in parameters.items() if value not in ("", None)}
    return f"{request.url.path}?{urlencode(kept)}" if kept else request.url.path
