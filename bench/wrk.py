"""The client: wrk, one thread on its own core, the same for all contestants."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.process import CLIENT_CORE, pin

__all__ = ["USER_AGENT", "Load", "Outcome", "run"]

USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36"
)
_SCRIPT = """\
local paths = {}
for path in io.lines("%(paths)s") do paths[#paths + 1] = path end
local next_path = 0
wrk.headers["User-Agent"] = "%(user_agent)s"
request = function()
  next_path = next_path %% #paths + 1
  return wrk.format("GET", paths[next_path])
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\\n{"requests": %%d, "seconds": %%f, "p50_ms": %%f, "p99_ms": %%f, "errors": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, errors.connect + errors.read + errors.write + errors.status
    + errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """How hard to press: connections kept open, seconds, and the paths asked for in turn."""

    seconds: int
    connections: int
    paths: Sequence[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What wrk saw; latencies in milliseconds."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int


def run(url: str, load: Load, folder: Path) -> Outcome:
    """Press a server and tell what came back; an answer of 400 or above is an error."""
    paths, script = folder / "paths", folder / "wrk.lua"
    paths.write_text("".join(f"{path}\n" for path in load.paths))
    script.write_text(_SCRIPT % {"paths": paths, "user_agent": USER_AGENT})
    command = [*pin([CLIENT_CORE]), "wrk", "--threads", "1"]
    command += ["--connections", str(load.connections), "--duration", f"{load.seconds}s"]
    answer = subprocess.run(
        [*command, "--script", str(script), url], capture_output=True, text=True, check=True
    )
    return Outcome(**json.loads(answer.stdout.strip().splitlines()[-1]))
