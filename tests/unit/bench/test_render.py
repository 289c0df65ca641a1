"""What writing messages is measured against."""

from aftersend.model.ids import MessageId
from bench import render


def test_same_length() -> None:
    """The reference writes a message of the same length as ours, with the same values in it."""
    person = {"first_name": "Ada500", "city": "Town 50"}
    template = render._template("", "")
    ours = template.render(person, message_id=MessageId(50_000), keys=render._KEYS).html
    _, reference = render._formatter(template)(50_000, person)

    assert ours is not None
    assert len(ours) == len(reference)
    assert "Ada500 from Town 50" in ours
    assert "Ada500 from Town 50" in reference
    assert 4 == ours.count(f"{render._ADDRESSES.redirect}/r/")


def test_every_shape_is_measured() -> None:
    """Each shape gives a row, and says how many messages a second that is."""
    rows = render.compare(count=10, rounds=1)

    assert [
        "render 10: fields and links",
        "render 10: a scripted block",
        "render 10: a click formula",
        "render 10: the whole MIME",
    ] == [row.name for row in rows]
    assert all(sample.details["messages a second"] > 0 for row in rows for sample in row.ours)
