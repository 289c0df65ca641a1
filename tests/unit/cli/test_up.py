"""What `aftersend up` does beside serving."""

import os
from pathlib import Path
from threading import Event, Thread, get_native_id

from aftersend import app
from aftersend.cli.run import _run_workflows
from aftersend.platform.entropy import SystemEntropy
from aftersend.platform.scheduling import WORKFLOW_NICE


def test_workflows_stand_behind_people_who_click(tmp_path: Path) -> None:
    """The thread that runs them is nicer than the others, and they are not."""
    app.init(tmp_path / "instance", entropy=SystemEntropy())
    opened = app.open_instance(tmp_path / "instance")
    stop, seen = Event(), list[int]()
    stop.set()

    def work() -> None:
        before = os.getpriority(os.PRIO_PROCESS, get_native_id())
        _run_workflows(opened, stop)
        seen.append(os.getpriority(os.PRIO_PROCESS, get_native_id()) - before)

    here = os.getpriority(os.PRIO_PROCESS, get_native_id())
    thread = Thread(target=work)
    thread.start()
    thread.join()

    assert seen == [min(WORKFLOW_NICE, 19 - here)]
    assert os.getpriority(os.PRIO_PROCESS, get_native_id()) == here
