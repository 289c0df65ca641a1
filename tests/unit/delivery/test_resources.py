"""What instructions of a delivery may name."""

from dataclasses import replace
from pathlib import Path

import pytest

from aftersend.content.instruction import expand_text
from aftersend.database import blocks, deliveries, options
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create
from aftersend.delivery.links import list_urls
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import source_of
from aftersend.delivery.properties import Properties
from aftersend.delivery.resources import check_object, read_object, resources_of
from aftersend.errors import InvalidContent, InvalidInput
from aftersend.model.ids import DeliveryId
from aftersend.settings import ContentSettings
from tests.support.page_server import page, serving_pages
from tests.support.post_office import NOW, add_recipients, draft


def _say(office: PostOffice, delivery_id: DeliveryId, text: str) -> str:
    with office.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
        return expand_text("text", text, resources_of(connection, office, delivery))


def _load(office: PostOffice, **content: object) -> DeliveryId:
    delivery_id = create(office, draft(subject="Lamps & more"))
    with office.database.write() as connection:
        deliveries.change_content(connection, delivery_id, **content)
    return delivery_id


@pytest.mark.parametrize(
    ("xpath", "text"),
    [
        ("@id", "1"),
        ("@internalName", "DM1"),
        ("@label", "Lamps"),
        ("@subject", "Lamps & more"),
        ("@sender", "Harbour & Pine <news@shop.example>"),
        ("variables/var[@name='season']/@stringValue", "spring"),
        ("variables/var[@name='none']/@stringValue", ""),
        ("count(variables/var)", "2"),
    ],
)
def test_a_delivery_tells_of_itself(office: PostOffice, xpath: str, text: str) -> None:
    """Its fields are attributes, its variables children, as in the field."""
    delivery_id = _load(office, variables={"season": "spring", "year": "2026"})

    instruction = f'<%@ value object="delivery" xpath="{xpath}" %>'

    assert _say(office, delivery_id, instruction) == text


def test_the_provider_is_who_message_ids_name(office: PostOffice) -> None:
    """The domain of message ids, or else the sender's."""
    delivery_id, instruction = _load(office), "<%@ value object='provider' xpath='@name' %>"

    assert _say(office, delivery_id, instruction) == "shop.example"
    named = replace(office, message_id_domain="mail.example")
    assert _say(named, delivery_id, instruction) == "mail.example"


def test_loaded_documents_are_objects(office: PostOffice) -> None:
    """Objects of JSON and of XML are known by their names."""
    objects = {"shop": {"lamp": [{"n": "Reef"}]}, "feed": "<f><i>Tern</i></f>"}
    delivery_id = _load(office, objects=objects)
    text = (
        "<%@ value object='shop' xpath='lamp/@n' %> <%@ value object='feed' xpath='i' %>"
        "<%@ foreach object='shop' xpath='lamp' %>!<%@ end %>"
    )

    assert _say(office, delivery_id, text) == "Reef Tern!"


def test_a_document_that_cannot_be_read_stops_the_delivery(office: PostOffice) -> None:
    """What came into the database some other way is told, not raised at somebody."""
    for content in ({"objects": {"shop": 5}}, {"variables": {"a": "\x00"}}):
        with pytest.raises(InvalidContent, match="objects of the delivery cannot be read"):
            _say(office, _load(office, **content), "<%@ value object='shop' %>")


def test_blocks_and_options_of_the_instance_can_be_included(office: PostOffice) -> None:
    """They are those that are kept at the time."""
    delivery_id = _load(office)
    with office.database.write() as connection:
        blocks.put(connection, "footer", html="<hr>", text="--", at=NOW)
        options.put(connection, "legal", "Pier 3")

    text = "<%@ include view='footer' %> <%@ include option='legal' %>"

    assert _say(office, delivery_id, text) == "-- Pier 3"


def test_files_and_pages_obey_the_settings(office: PostOffice, tmp_path: Path) -> None:
    """The folder, the hosts and the size are those of the instance."""
    folder = tmp_path / "include"
    folder.mkdir()
    (folder / "footer.txt").write_text("-- Pier 3")
    settings = ContentSettings(include_hosts=("localhost",), include_bytes_max=9)
    changed = replace(office, include=folder, content=settings)
    delivery_id = _load(office)

    assert _say(changed, delivery_id, "<%@ include file='footer.txt' %>") == "-- Pier 3"
    (folder / "footer.txt").write_text("-- Pier 34")
    with serving_pages({"/": page()}) as server:
        for instruction, sentence in (
            ("include file='footer.txt'", "has more than 9 bytes"),
            ("include url='http://other.example/'", "other.example may not be included from"),
            (f"include url='http://localhost:{server.port}/'", "not an address of the open"),
        ):
            with pytest.raises(InvalidContent, match=f"text line 1, column 1: .*{sentence}"):
                _say(changed, delivery_id, f"<%@ {instruction} %>")
        assert server.asked == []


def test_what_was_analysed_is_what_is_sent(office: PostOffice) -> None:
    """Each item has a link of its own; a block that changes later changes nothing."""
    add_recipients(office, ["ada@example.com"])
    with office.database.write() as connection:
        blocks.put(connection, "footer", html="<hr>", text="--", at=NOW)
    articles = [{"url": f"https://x.example/{n}", "title": f"No. {n}"} for n in range(3)]
    html = (
        "<%@ foreach object='article' %><a href='<%@ value object='article' xpath='@url' %>'>"
        "<%@ value object='article' xpath='@title' %></a><%@ end %><%@ include view='footer' %>"
    )
    chosen = Properties(objects={"article": articles})
    delivery_id = create(office, replace(draft(html=html, text=None), properties=chosen))

    before = [(url.source, url.label) for url in list_urls(office, delivery_id)]
    analyse(office, delivery_id)
    with office.database.write() as connection:
        blocks.put(connection, "footer", html="<p>new</p>", text="--", at=NOW)
        source = source_of(connection, deliveries.get(connection, delivery_id))

    assert before == [(each["url"], each["title"]) for each in articles]
    assert before == [(url.source, url.label) for url in list_urls(office, delivery_id)]
    assert source.html is not None
    assert source.html.endswith("</a><hr>")


@pytest.mark.parametrize(
    ("name", "text", "document"),
    [
        (
            "a.json",
            '{"price": 12.50, "n": 1e3, "on": true}',
            {"price": "12.50", "n": "1e3", "on": True},
        ),
        ("a.JSON", "\ufeff[1, null]", ["1", None]),
        ("a.xml", "<?xml version='1.0'?>\n<a><b/></a>", "<?xml version='1.0'?>\n<a><b/></a>"),
    ],
)
def test_a_document_is_read_as_it_is_written(
    tmp_path: Path, name: str, text: str, document: object
) -> None:
    """Numbers keep their spelling, XML is kept as its text."""
    (tmp_path / name).write_text(text, encoding="utf-8")

    assert read_object(tmp_path / name) == document


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.csv", b"a,b", "neither JSON nor XML"),
        ("a.json", b"{", "is not JSON|not JSON"),
        ("a.json", b'{"a": NaN}', "NaN is no number"),
        ("a.json", b'"<a/>"', "not a single value"),
        ("a.json", b"5", "not a single value"),
        ("a.json", b'{"a b": 1}', "cannot name an element"),
        ("a.json", b"[" * 100_000, "not JSON"),
        ("a.json", b"\xff", "not UTF-8"),
        ("a.json", b'"' + b"x" * 5_000_000 + b'"', "more than 5,000,000 characters"),
        ("a.xml", b"<a>", "The XML cannot be read"),
        ("a.xml", b"<!DOCTYPE a><a/>", "has a document type"),
        ("missing.json", None, "No such file"),
    ],
)
def test_what_is_no_document_is_refused(
    tmp_path: Path, name: str, data: bytes | None, sentence: str
) -> None:
    """The sentence names the file."""
    if data is not None:
        (tmp_path / name).write_bytes(data)

    with pytest.raises(InvalidInput, match=f"{name}.*(?:{sentence})"):
        read_object(tmp_path / name)


@pytest.mark.parametrize("name", ["delivery", "provider", "startScript", "endScript", "a b", "1"])
def test_some_names_are_no_names_of_objects(name: str) -> None:
    """Names that are taken, and names that no instruction could say."""
    with pytest.raises(InvalidInput, match=f"{name}"):
        check_object(name, {})
    check_object("shop", {})
