"""Handing the messages of a ledger over to a mail server, on several connections at once.

Work goes in rounds. A round offers every waiting message once; connections take the next one
whenever they are free. What was put off waits for the next round, behind all others. Rounds end
when nobody waits, or when `ROUNDS_IN_VAIN_MAX` of them in a row brought no answer about any
message.

A 4xx about a message counts against it, `ATTEMPTS_MAX` times. A 4xx about the server itself (421,
or status 4.3.x), or before the recipient was named, counts against the connection: three in a row,
and it is given up. A connection that breaks during a message counts against the connection, and
against the message only once the server has answered another one: a server in trouble must not
cost anybody the message, and a message that breaks servers must not cost all others.
"""

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from sqlalchemy.exc import OperationalError

from aftersend.database import deliveries, messages
from aftersend.database.messages import Addressee
from aftersend.delivery.conversation import Answer, Conversation, Letter
from aftersend.delivery.ledger import Ledger, State
from aftersend.delivery.mail_server import MailServer, connect
from aftersend.delivery.office import PostOffice
from aftersend.delivery.press import Press
from aftersend.delivery.refusal import Failure, read_refusal
from aftersend.errors import (
    AftersendError,
    ConnectionLost,
    InvalidContent,
    InvalidInput,
    Transient,
)
from aftersend.model.enumeration import FailureReason, FailureType
from aftersend.model.ids import MessageId

__all__ = ["ATTEMPTS_MAX", "ROUNDS_IN_VAIN_MAX", "Progress", "Run", "dispatch"]

ATTEMPTS_MAX: Final = 3
ROUNDS_IN_VAIN_MAX: Final = 3
_TROUBLES_MAX: Final = 3
_BATCH: Final = 500
_TICK_S: Final = 0.1
_TICKS_A_STORE: Final = 10
_STOP_SECONDS_MAX: Final = 10.0
_SYSTEM_STATUS: Final = re.compile(r"4\.3\.\d")

_GONE: Final = Failure(
    FailureReason.NOT_DEFINED, FailureType.NOT_DEFINED, "The recipient is no longer known."
)
_UNSUBSCRIBED: Final = Failure(
    FailureReason.DENYLISTED, FailureType.HARD, "Unsubscribed after the analysis."
)

Progress = Callable[[int, int], object]
"""Hears how many messages of how many are done."""


@dataclass(slots=True)
class Run:
    """One send under way; `success` and `error` count recipients of the whole delivery.

    `on_progress` hears of it ten times a second; everything is stored once a second.
    """

    office: PostOffice
    server: MailServer
    ledger: Ledger
    press: Press
    success: int = 0
    error: int = 0
    on_progress: Progress = lambda _done, _total: None
    is_ending: bool = False
    done: int = 0
    has_answers: bool = False
    problem: Transient | None = None
    stop: AftersendError | None = None
    queue: deque[int] = field(default_factory=deque)
    loaded: deque[tuple[int, Addressee]] = field(default_factory=deque)
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)
    storing: Lock = field(default_factory=Lock)
    attempts: Counter[int] = field(default_factory=Counter)
    suspects: dict[int, tuple[Addressee, Failure]] = field(default_factory=dict)
    charged: dict[int, tuple[Addressee, Failure]] = field(default_factory=dict)
    unstored: list[int] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Tell whether no other message should be begun."""
        return self.is_ending or self.stop is not None

    def store(self) -> None:
        """Bring what has ended into the database and onto the disk.

        Raises:
            OperationalError: the database is busy or gone; nothing is forgotten.
        """
        with self.storing:
            places = self.unstored[:]
            self.ledger.sync()
            outcomes = [self.ledger.outcome(place) for place in places]
            with self.office.database.write() as connection:
                messages.store_outcomes(connection, outcomes)
                deliveries.change(
                    connection, self.press.delivery.id, success=self.success, error=self.error
                )
            del self.unstored[: len(places)]

    def show(self) -> None:
        """Tell how far it is."""
        self.on_progress(self.done, len(self.ledger))

    def begin_round(self) -> int:
        """Line up everybody who waits; give their number."""
        self.queue = deque(self.ledger.waiting())
        self.loaded.clear()
        self.suspects.clear()
        self.has_answers = False
        self.problem = None
        self.done = len(self.ledger) - len(self.queue)
        return len(self.queue)

    async def next(self) -> tuple[int, Addressee] | None:
        """Give the place and the recipient of the next message of this round."""
        while not self.loaded:
            async with self.loading:
                if not self.loaded:
                    if not self.queue:
                        return None
                    size = min(_BATCH, len(self.queue))
                    places = [self.queue.popleft() for _ in range(size)]
                    people = await asyncio.to_thread(self._load, places)
                    self.loaded.extend(zip(places, people, strict=True))
        return self.loaded.popleft()

    def print(self, place: int, addressee: Addressee) -> Letter | None:
        """Print a letter; None when there is a reason not to send it, which is written down."""
        if addressee.is_denylisted:
            self.fail(place, addressee, _UNSUBSCRIBED)
        elif not (addressee.is_known or addressee.is_seed):
            self.fail(place, addressee, _GONE)
        else:
            try:
                return self.press.letter(addressee, at=self.office.clock.now())
            except InvalidContent as error:
                reason, kind = FailureReason.NOT_DEFINED, FailureType.NOT_DEFINED
                self.fail(place, addressee, Failure(reason, kind, str(error)))
        return None

    def judge(self, place: int, addressee: Addressee, answer: Answer) -> bool:
        """Act on an answer; tell whether the connection is still of use."""
        if answer.is_accepted:
            self.ledger.accept(place, self.office.clock.now())
            self.success += not addressee.is_seed
            self._end(place)
            self._prove_alive()
            return True
        # Refused, or asked for later: the server does not have it.
        self.ledger.states[place] = State.WAITING
        if answer.is_sender_refused and answer.code >= 500:
            self.stop = InvalidInput(
                f"The mail server {self.server} refuses the sender"
                f" {self.press.delivery.sender}: {answer.code} {answer.text}"
            )
            return False
        if _is_about_server(answer):
            self.problem = Transient(
                f"The mail server {self.server} does not take mail now: {answer.code} {answer.text}"
            )
            return False
        failure = read_refusal(answer.code, answer.text)
        if answer.code >= 500:
            self.fail(place, addressee, failure)
        else:
            self._charge(place, addressee, failure)
        self._prove_alive()
        return True

    def lose(self, place: int, addressee: Addressee, error: ConnectionLost) -> None:
        """Act on a connection that broke during a message."""
        self.ledger.states[place] = State.WAITING
        self.problem = error
        failure = Failure(FailureReason.UNREACHABLE, FailureType.SOFT, str(error))
        self.suspects[place] = addressee, failure

    def fail(self, place: int, addressee: Addressee, failure: Failure) -> None:
        """Write down that a message will not be sent."""
        self.ledger.fail(place, failure, self.office.clock.now())
        self.error += not addressee.is_seed
        self._end(place)

    def give_up(self, waiting: Sequence[int]) -> bool:
        """Fail messages that alone are left, if each of them is known to have met trouble."""
        if not all(place in self.charged for place in waiting):
            return False
        for place in waiting:
            self.fail(place, *self.charged[place])
        return True

    def _prove_alive(self) -> None:
        self.has_answers = True
        for place, (addressee, failure) in self.suspects.items():
            self._charge(place, addressee, failure)
        self.suspects.clear()

    def _charge(self, place: int, addressee: Addressee, failure: Failure) -> None:
        self.attempts[place] += 1
        self.charged[place] = addressee, failure
        if self.attempts[place] >= ATTEMPTS_MAX:
            self.fail(place, addressee, failure)

    def _end(self, place: int) -> None:
        self.unstored.append(place)
        self.done += 1

    def _load(self, places: list[int]) -> list[Addressee]:
        with self.office.database.read() as connection:
            ids = [MessageId(self.ledger.ids[place]) for place in places]
            return messages.addressees(connection, ids)


def _is_about_server(answer: Answer) -> bool:
    if answer.code >= 500:
        return False
    has_status = _SYSTEM_STATUS.match(answer.text) is not None
    return answer.code == 421 or answer.is_sender_refused or has_status


async def dispatch(run: Run) -> None:
    """Send to everybody who waits.

    When cancelled, messages that are under way are still finished.

    Raises:
        Transient: the server cannot be reached; whoever was not sent still waits.
        InvalidInput: the server refuses the sender or our log-in.
    """
    storing = asyncio.create_task(_store_regularly(run))
    working = asyncio.create_task(_work_in_rounds(run))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        run.is_ending = True
        await asyncio.wait([working], timeout=_STOP_SECONDS_MAX)
        raise
    finally:
        working.cancel()
        storing.cancel()
        await asyncio.gather(working, storing, return_exceptions=True)
        run.show()
        run.store()


async def _work_in_rounds(run: Run) -> None:
    in_vain = 0
    while waiting := run.begin_round():
        workers = min(run.server.connections, waiting)
        await asyncio.gather(*(_work(run) for _ in range(workers)))
        if run.stop is not None:
            raise run.stop
        if run.is_ending:
            return
        in_vain = 0 if run.has_answers else in_vain + 1
        if in_vain == ROUNDS_IN_VAIN_MAX and not run.give_up(run.ledger.waiting()):
            reason = run.problem or Transient(f"The mail server {run.server} takes no mail.")
            raise Transient(
                f"{reason} {run.done:,} of {len(run.ledger):,} messages are done; send again to"
                " send the rest."
            )
        if State.WAITING in bytes(run.ledger.states):
            await asyncio.sleep(run.server.pause_s)


async def _work(run: Run) -> None:
    """Take messages on one connection until there are none, or until it is of no use."""
    conversation: Conversation | None = None
    troubles = 0
    try:
        while troubles < _TROUBLES_MAX and not run.is_over and (work := await run.next()):
            place, addressee = work
            letter = run.print(place, addressee)
            if letter is None:
                continue
            if conversation is None:
                conversation = await _connect(run)
                if conversation is None:
                    return
            try:
                answer = await conversation.hand_over(letter, run.ledger.states, place)
                is_of_use = run.judge(place, addressee, answer)
            except ConnectionLost as error:
                run.lose(place, addressee, error)
                is_of_use = False
            if is_of_use:
                troubles = 0
            else:
                troubles += 1
                await conversation.close()
                conversation = None
    finally:
        if conversation is not None:
            await conversation.close()


async def _connect(run: Run) -> Conversation | None:
    try:
        return await connect(run.server)
    except Transient as error:
        run.problem = error
    except InvalidInput as error:
        run.stop = error
    return None


async def _store_regularly(run: Run) -> None:
    while True:
        for _ in range(_TICKS_A_STORE):
            await asyncio.sleep(_TICK_S)
            run.show()
        with suppress(OperationalError):  # busy: the next second, or the end, will do
            await asyncio.to_thread(run.store)
