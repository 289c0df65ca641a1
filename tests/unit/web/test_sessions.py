"""Session files."""

from pathlib import Path

from aftersend.database.operators import Operator
from aftersend.platform.clock import ManualClock
from aftersend.platform.entropy import SeededEntropy
from aftersend.web.sessions import Session, SessionStore
from tests.support.pages import NOW

ADA = Operator(1, "Ada", "stamp")


def _store(directory: Path, clock: ManualClock) -> SessionStore:
    return SessionStore(directory / "sessions", clock, SeededEntropy(1), hours=12)


def test_a_session_is_found_by_its_id_alone(tmp_path: Path) -> None:
    """The id opens the session; the names and bytes of the files do not tell it."""
    store = _store(tmp_path, ManualClock(NOW))
    session_id = store.open(ADA)
    (file,) = store.directory.iterdir()

    assert store.find(session_id) == Session(1, "stamp")
    assert session_id not in file.name
    assert session_id not in file.read_text()
    assert store.find(file.stem) is None


def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    """Nobody else on the machine may read sessions."""
    store = _store(tmp_path, ManualClock(NOW))
    store.open(ADA)
    (file,) = store.directory.iterdir()

    assert file.stat().st_mode & 0o077 == 0


def test_ended_sessions_are_removed(tmp_path: Path) -> None:
    """Whoever logs in takes away what has ended, so that the folder does not grow."""
    clock = ManualClock(NOW)
    store = _store(tmp_path, clock)
    store.open(ADA)
    clock.advance(12 * 3600)
    store.open(ADA)

    assert len(list(store.directory.iterdir())) == 1


def test_a_damaged_file_opens_nothing(tmp_path: Path) -> None:
    """A file that is no session counts as none, and goes with the next log-in."""
    store = _store(tmp_path, ManualClock(NOW))
    session_id = store.open(ADA)
    (file,) = store.directory.iterdir()
    file.write_text("{")

    assert store.find(session_id) is None


def test_closing_ends_one_session(tmp_path: Path) -> None:
    """Logging out on one machine leaves the other one logged in."""
    store = _store(tmp_path, ManualClock(NOW))
    first, second = store.open(ADA), store.open(ADA)
    store.close(first)
    store.close("../nonsense")

    assert (store.find(first), store.find(second)) == (None, Session(1, "stamp"))
