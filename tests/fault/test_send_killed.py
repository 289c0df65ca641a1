"""A send that is killed and taken up again reaches everybody exactly once."""

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from random import Random
from threading import Event

import pytest

from aftersend.database import deliveries
from aftersend.database.engine import migrate, open_engine
from aftersend.database.recipients import BATCH_ROWS_MAX
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create
from aftersend.delivery.ledger import ANSWER_NOT_SEEN
from aftersend.delivery.office import PostOffice
from aftersend.model.enumeration import DeliveryState, FailureReason, MessageStatus
from aftersend.model.ids import DeliveryId
from aftersend.platform.clock import SystemClock
from tests.support.effort import some
from tests.support.post_office import add_recipients, draft, make_office, messages_of
from tests.support.send_process import STEPS

COMMAND = (sys.executable, "-m", "tests.support.send_process")
KILLS = 12
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Scene:
    """A delivery, a sink in a process of its own, and the way to send."""

    office: PostOffice
    folder: Path
    port: int

    def start(self, delivery_id: DeliveryId, step: str = "") -> subprocess.Popen[str]:
        """Start to send in a process of its own."""
        arguments = [str(self.folder / "a.sqlite"), str(self.folder), str(self.port)]
        return subprocess.Popen(
            [*COMMAND, "send", *arguments, str(delivery_id), *([step] if step else [])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def finish(self, delivery_id: DeliveryId) -> list[int]:
        """Send to the end; give how many were sent and failed."""
        output, errors = self.start(delivery_id).communicate(timeout=120)
        assert output, errors
        return list(json.loads(output))

    def kept(self) -> list[bytes]:
        """Give every message that the sink has."""
        return [path.read_bytes() for path in sorted((self.folder / "outbox").glob("*.eml"))]

    def reached(self) -> Counter[str]:
        """Count how often each address got a message."""
        return Counter(message_from_bytes(raw)["X-Envelope-To"] for raw in self.kept())

    def done(self, delivery_id: DeliveryId) -> int:
        """Count the messages that are not waiting any more, as the ledger says."""
        try:
            ledger = (self.office.sending / f"{delivery_id}.ledger").read_bytes()
        except FileNotFoundError:
            return 0
        count = int.from_bytes(ledger[16:24], "little")
        return count - ledger[-count:].count(0)

    def state(self, delivery_id: DeliveryId) -> DeliveryState:
        """Give where the delivery stands."""
        with self.office.database.read() as connection:
            return deliveries.get(connection, delivery_id).state


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of a migrated database; copy it, do not change it."""
    path = tmp_path_factory.mktemp("database") / "empty.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture
def scene(tmp_path: Path, empty_database: Path) -> Iterator[Scene]:
    """Set the scene; the sink refuses whoever is called unknown."""
    shutil.copy(empty_database, tmp_path / "a.sqlite")
    office = make_office(tmp_path, tmp_path / "a.sqlite", clock=SystemClock())
    with subprocess.Popen(
        [*COMMAND, "sink", str(tmp_path / "outbox")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as sink:
        assert sink.stdin is not None
        assert sink.stdout is not None
        try:
            yield Scene(office, tmp_path, int(sink.stdout.readline()))
        finally:
            sink.stdin.close()
            sink.wait(30)


def _delivery(scene: Scene, people: list[str]) -> DeliveryId:
    for start in range(0, len(people), BATCH_ROWS_MAX):
        add_recipients(scene.office, people[start : start + BATCH_ROWS_MAX])
    delivery_id = create(scene.office, draft())
    analyse(scene.office, delivery_id)
    return delivery_id


def _check(scene: Scene, delivery_id: DeliveryId, known: list[str], unknown: list[str]) -> None:
    """Check that everybody who can be reached was, once, and that all of it is written down."""
    assert Counter(known) == scene.reached()
    assert DeliveryState.FINISHED is scene.state(delivery_id)
    made = messages_of(scene.office, delivery_id)
    for address in known:
        assert MessageStatus.SENT is made[address].status
        assert made[address].failure_text in ("", ANSWER_NOT_SEEN)
    for address in unknown:
        assert MessageStatus.FAILED is made[address].status
        assert FailureReason.USER_UNKNOWN is made[address].failure_reason
        assert made[address].failure_text.startswith("550 5.1.1")
    assert [] == list(scene.office.sending.iterdir())


@pytest.mark.parametrize("step", some(STEPS))
def test_killed_at_any_step(scene: Scene, step: str) -> None:
    """Between any two steps of a send, a kill leaves nobody out and reaches nobody twice.

    Dies when the dot goes out together with the body, when a message is marked before its body is
    with the kernel, and when a message whose answer was not seen is sent again.
    """
    known = [f"p{number}@x.example" for number in range(30)]
    unknown = ["unknown1@x.example", "unknown2@x.example"]
    delivery_id = _delivery(scene, [*known[:20], *unknown, *known[20:]])

    killed = scene.start(delivery_id, step)
    killed.communicate(timeout=60)

    assert -signal.SIGKILL == killed.returncode
    assert [30, 2] == scene.finish(delivery_id)
    _check(scene, delivery_id, known, unknown)


@pytest.mark.long
def test_killed_at_random_moments(scene: Scene) -> None:
    """A send that is killed again and again still reaches everybody exactly once.

    Dies when messages whose answers were not seen are sent again.
    """
    random = Random()
    seed = random.randrange(10**9)
    random.seed(seed)
    known = [f"p{number}@x.example" for number in range(8_000)]
    unknown = [f"unknown{number}@x.example" for number in range(80)]
    people = [*known, *unknown]
    random.shuffle(people)
    delivery_id = _delivery(scene, people)

    for _ in range(KILLS):
        before = scene.done(delivery_id)
        sender = scene.start(delivery_id)
        # Never so far that nothing is left for the last one.
        enough = before + random.randrange(1, len(people) // KILLS - 60)
        while scene.done(delivery_id) < enough and sender.poll() is None:
            _wait(random.uniform(0.0005, 0.003))
        sender.kill()
        sender.communicate()
        assert -signal.SIGKILL == sender.returncode
        assert DeliveryState.IN_PROGRESS is scene.state(delivery_id)

    assert [8_000, 80] == scene.finish(delivery_id), f"seed {seed}"
    _check(scene, delivery_id, known, unknown)
    names = Counter(message_from_bytes(raw)["Message-ID"] for raw in scene.kept())
    assert 8_000 == len(names)


@pytest.mark.long
def test_interrupted_by_hand(scene: Scene) -> None:
    """Ctrl-C lets messages under way come to their end, and the rest wait for the next time."""
    known = [f"p{number}@x.example" for number in range(6_000)]
    delivery_id = _delivery(scene, known)  # so many that a busy machine is not done first

    sender = scene.start(delivery_id)
    while scene.done(delivery_id) < 50 and sender.poll() is None:
        _wait(0.01)
    sender.send_signal(signal.SIGINT)
    sender.communicate(timeout=30)
    in_between = messages_of(scene.office, delivery_id).values()
    statuses = Counter(message.status for message in in_between)

    assert DeliveryState.IN_PROGRESS is scene.state(delivery_id)
    assert scene.reached().total() == statuses[MessageStatus.SENT]
    assert 6_000 == statuses[MessageStatus.SENT] + statuses[MessageStatus.PENDING]
    assert all(message.failure_text == "" for message in in_between)
    assert [6_000, 0] == scene.finish(delivery_id)
    _check(scene, delivery_id, known, [])


def _wait(seconds: float) -> None:
    Event().wait(seconds)
