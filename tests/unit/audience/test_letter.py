"""Reading a received message as a mail client does."""

from email.message import EmailMessage

from aftersend.audience.letter import read_letter

BASE = "http://t.example"


def _message(html: str | None, text: str = "hello") -> bytes:
    message = EmailMessage()
    message["To"] = "ada@example.com"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message.as_bytes()


def test_links_and_images_in_reading_order() -> None:
    """A letter lists the tracked links and images of its HTML in the order of reading."""
    html = (
        f'<a href="{BASE}/r/one">1</a><img src="{BASE}/r/pic.gif"><img src="https://x/y.png">'
        f'<a href="https://elsewhere/">2</a><map><area href="{BASE}/r/two"></map>'
    )

    letter = read_letter(_message(html), redirect_url=BASE)

    assert letter.links == ("/r/one", "/r/two")
    assert letter.images == ("/r/pic.gif",)
    assert letter.recipient == "ada@example.com"
    assert not letter.is_text


def test_a_text_letter_shows_no_opens() -> None:
    """A text-only letter has links but nothing to load."""
    text = f"See {BASE}/r/one. And ({BASE}/r/two)"

    letter = read_letter(_message(None, text), redirect_url=BASE)

    assert letter.links == ("/r/one", "/r/two")
    assert letter.is_text


def test_a_link_that_nobody_sees_is_no_link_to_people() -> None:
    """It is told of apart, for programs that read the source."""
    html = f'<a href="{BASE}/r/trap" style="display:none"></a><a href="{BASE}/r/one">1</a>'

    letter = read_letter(_message(html), redirect_url=BASE)

    assert letter.links == ("/r/one",)
    assert letter.traps == ("/r/trap",)
