"""Every error that Aftersend raises on purpose.

::

    AftersendError
    ├── InvalidInput            what came in is wrong: refuse it, count it, never retry
    │   ├── InvalidToken        a tracking token that we did not spell
    │   ├── InvalidLine         a log line that does not follow the format
    │   ├── InvalidCatalogue    a catalogue file that does not follow the format
    │   ├── InvalidContent      a message that cannot be prepared
    │   ├── InvalidSettings     aftersend.toml cannot be used
    │   ├── NotFound            no such delivery, recipient, workflow …
    │   └── Gone                it was there, and its time is over
    ├── Transient               the world is wrong for now: try again, with patience
    │   ├── Busy                somebody else is doing this very thing
    │   └── ConnectionLost      a mail server went away in the middle of a message
    └── Corruption              stored bytes contradict themselves: stop, keep them, tell somebody

A constructor takes context; the sentence for people is made here. A bug of ours is an `assert`.
"""

__all__ = [
    "AftersendError",
    "Busy",
    "ConnectionLost",
    "Corruption",
    "Gone",
    "InvalidCatalogue",
    "InvalidContent",
    "InvalidInput",
    "InvalidLine",
    "InvalidSettings",
    "InvalidToken",
    "NotFound",
    "Transient",
]


class AftersendError(Exception):
    """Something failed that we know by name.

    `str()` is one clear sentence for the person who asked.
    """


class InvalidInput(AftersendError, ValueError):
    """What came in is wrong.

    Do not retry: change the input.
    """


class InvalidToken(InvalidInput):
    """A token is misshapen, forged or of another version.

    Answer 404, or redirect without its values when the link itself is known.
    """

    def __init__(self, reason: str) -> None:
        """Keep the `reason`: shape, version, part, number, values, length or tag."""
        super().__init__(f"This is not one of our tracking tokens ({reason}).")
        self.reason = reason


class InvalidLine(InvalidInput):
    """A log line does not follow the format.

    Keep its bytes as a rejected line and go on.
    """

    def __init__(self, reason: str) -> None:
        """Keep the `reason`, a word that runs add up by."""
        super().__init__(f"This log line does not follow the format ({reason}).")
        self.reason = reason


class InvalidCatalogue(InvalidInput):
    """A catalogue file does not follow the format.

    Publish the delivery again.
    """

    def __init__(self, reason: str) -> None:
        """Keep the `reason`, words for the person who reads it."""
        super().__init__(f"This catalogue cannot be used: {reason}.")
        self.reason = reason


class InvalidContent(InvalidInput):
    """A message cannot be prepared.

    Change the place that is named.
    """

    def __init__(self, problem: str, *, part: str = "", line: int = 0, column: int = 0) -> None:
        """Say the `problem` and where it stands; lines and columns count from 1, 0 = nowhere."""
        place = f"{part} line {line}, column {column}: " if line else f"{part}: " if part else ""
        super().__init__(f"{place}{problem}")
        self.problem = problem
        self.part = part
        self.line = line
        self.column = column


class InvalidSettings(InvalidInput):
    """The settings cannot be used.

    Change `aftersend.toml` as the sentence says.
    """


class NotFound(InvalidInput, LookupError):
    """There is no such thing.

    Look at the list of what there is.
    """

    def __init__(self, kind: str, key: object) -> None:
        """Name the `kind` of thing and the `key` it was asked by."""
        super().__init__(f"There is no {kind} {key}.")
        self.kind = kind
        self.key = key


class Gone(InvalidInput):
    """Something was there, and its time is over.

    Asking again does not help.
    """

    def __init__(self, kind: str, key: object) -> None:
        """Name the `kind` of thing and the `key` it was asked by."""
        super().__init__(f"The {kind} {key} is not there any more.")
        self.kind = kind
        self.key = key


class Transient(AftersendError):
    """The world is wrong for now.

    Safe to try again later.
    """


class Busy(Transient):
    """Somebody else is doing this very thing.

    Wait until they are done.
    """


class ConnectionLost(Transient):
    """A mail server went away in the middle of a message.

    Connect again and send that message again.
    """


class Corruption(AftersendError):
    """Stored bytes contradict themselves.

    Stop using this part, keep the bytes, tell a person.
    """

    def __init__(self, path: object, problem: str) -> None:
        """Name the `path` of the bytes and the `problem` with them."""
        super().__init__(f"{path}: {problem}.")
        self.path = path
        self.problem = problem
