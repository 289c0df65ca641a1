"""Running `aftersend` and seeing what people would see."""

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aftersend.__main__ import main

__all__ = ["Outcome", "aftersend"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Read standard output as one JSON document."""
        return json.loads(self.out)


def aftersend(instance: Path | None, *arguments: str) -> Outcome:
    """Run one command to its end, inside this process: starting one takes longer than most work."""
    of_instance = () if instance is None else ("--instance", str(instance))
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="\n") for _ in range(2))
    status = 0
    with (
        patch.object(sys, "argv", ["aftersend", *arguments, *of_instance]),
        patch.dict(os.environ),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        os.environ.pop("AFTERSEND_INSTANCE", None)
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
    return Outcome(status, _text(out), _text(err))


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()
