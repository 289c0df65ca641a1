"""Golden cases of finished messages: `<case>.eml` comes in, `<case>.sent` goes out, byte for byte.

`python -m tests.support.mail_golden` writes what the code does now into every case: read the
difference before it is kept.
"""

from pathlib import Path

from aftersend.content.mail import track
from tests.support.content_golden import ADDRESSES, DELIVERY_ID, KEYS, MESSAGE_ID

DIRECTORY = Path(__file__).parent.parent / "golden" / "mail"


def run(raw: bytes) -> bytes:
    """Track a message with the keys, delivery and message that all cases share."""
    tracked = track(
        raw,
        delivery_id=DELIVERY_ID,
        message_id=MESSAGE_ID,
        keys=KEYS,
        addresses=ADDRESSES,
        publish=lambda _catalogue, _delivery_id: None,
    )
    assert tracked.untracked_reason == ""
    return tracked.message


if __name__ == "__main__":
    for path in DIRECTORY.glob("*.eml"):
        path.with_suffix(".sent").write_bytes(run(path.read_bytes()))
