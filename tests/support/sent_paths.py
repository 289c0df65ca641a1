"""The links and pixels of a delivery that was really sent, as the paths that visitors ask for."""

from aftersend.app import Instance
from aftersend.cli.post import Post
from aftersend.delivery.create import Draft
from aftersend.delivery.recipients import import_recipients

__all__ = ["sent_paths"]

_HTML = '<p><a href="https://shop.example/a">a</a> <a href="https://shop.example/b">b</a></p>'


def sent_paths(opened: Instance, *, recipients: int = 20) -> list[str]:
    """Import recipients, send them a message with two links, and read the letters."""
    file = opened.var / "recipients.csv"
    file.write_text("email\n" + "".join(f"r{n}@x.example\n" for n in range(recipients)))
    import_recipients(opened.database, file, clock=opened.clock)
    with Post(opened) as post:
        _, letters = post.send(Draft("Visited", "A <a@b.example>", "Hello", _HTML))
    return [path for letter in letters for path in (*letter.links, *letter.images)]
