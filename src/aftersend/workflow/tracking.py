"""The Tracking workflow: its steps, and what each of its runs works with.

Source: spec §5; architecture, "The road of a click".
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

from aftersend.delivery.publish import retry
from aftersend.delivery.registration import validate
from aftersend.model.ids import ServerId
from aftersend.tracking.source import LocalSource, Source, http_source
from aftersend.tracking.steps import STEPS, Context
from aftersend.tracking.unregistered import Unregistered
from aftersend.workflow.definition import Declaration, Definition, Occasion
from aftersend.workflow.surroundings import Surroundings

__all__ = ["context", "guarded", "tracking"]


def tracking(declaration: Declaration, given: Surroundings) -> Definition[Context]:
    """Define the workflow, ready to run."""
    return Definition(declaration, STEPS, partial(context, given), guarded)


@contextmanager
def context(given: Surroundings) -> Iterator[Context]:
    """Give what one run works with.

    The spool of each tracking server that runs here is read as a folder, the others over HTTP.
    Those that could not be registered before are first, and those that were down when a delivery
    was published get its catalogue.
    """
    remote = validate(given.registry())
    retry(given.office())
    elsewhere = {server.id for server in remote if server.is_registered}
    sources: list[Source] = [
        LocalSource(ServerId(folder.name), folder, given.settings.tracking.load_lines_max)
        for folder in sorted((given.var / "spool").iterdir())
        if folder.is_dir() and folder.name not in elsewhere
    ]
    password = given.settings.collector.password
    lines_max = given.settings.tracking.log_count_per_request
    with ExitStack() as stack:
        for server in remote:
            if not server.is_registered:
                sources.append(Unregistered(server.id, server.problem))
                continue
            source = http_source(
                server.id, url=server.internal_url, password=password, lines_max=lines_max
            )
            sources.append(stack.enter_context(source))
        yield Context.of(given, sources)


def guarded(given: Context, occasion: Occasion) -> Context:
    """Let each point that steps pass ask whether the run goes on."""

    def passing(point: str) -> None:
        occasion.check()
        given.passing(point)

    return replace(
        given, passing=passing, telling=occasion.telling, is_scheduled=occasion.is_scheduled
    )
