"""The steps of the Tracking workflow, in their order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aftersend.model.run import StepReport
from aftersend.tracking.attribute import attribute
from aftersend.tracking.consolidate import consolidate
from aftersend.tracking.context import POINTS, Context
from aftersend.tracking.download import download
from aftersend.tracking.load import load
from aftersend.tracking.retry import retry

__all__ = ["POINTS", "STEPS", "Context", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One activity: doing it again does no harm."""

    name: str
    label: str
    do: Callable[[Context], StepReport]
    simulate: Callable[[Context], StepReport] | None = None


STEPS: Final[tuple[Step, ...]] = (
    Step("download", "Download lines", download),
    Step("load", "Load lines", load),
    Step("retry", "Try waiting lines again", retry),
    Step("attribute", "Attribute web visits", attribute),
    Step("consolidate", "Consolidate statistics", consolidate),
)
