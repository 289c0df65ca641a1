"""The links of a delivery by host and path."""

import pytest

from aftersend.database.urls import TrackedUrl
from aftersend.errors import NotFound
from aftersend.model.enumeration import Part, TrackingMode, UrlType
from aftersend.model.ids import DeliveryId, UrlId
from aftersend.web.url_tree import Node, find, tree_of


def links(*sources: str) -> list[TrackedUrl]:
    """Make links, every second one not tracked."""
    return [
        TrackedUrl(
            id=UrlId(number),
            delivery_id=DeliveryId(1),
            part=Part.HTML,
            source=source,
            type=UrlType.EMAIL_CLICK,
            mode=TrackingMode.NOT_TRACKED if number % 2 else TrackingMode.ENABLED,
            label="",
            category="",
            occurrences=1,
        )
        for number, source in enumerate(sources, 2)
    ]


def shape(nodes: list[Node]) -> list[object]:
    """Spell a tree as names, and links as what they add."""
    return [
        [node.name, *(node.rest(url) for url in node.urls), *shape(list(node.nodes.values()))]
        for node in nodes
    ]


def test_links_stand_below_their_host_and_path() -> None:
    """What two links share is one node, steps on the way are joined, queries belong to links."""
    tree = tree_of(
        links(
            "https://a.example/x/y/1",
            "https://a.example/x/y/2?q=/z/#w/v",
            "https://a.example/x",
            "http://a.example/",
            "https://b.example:8443",
        )
    )

    assert shape(tree) == [
        ["a.example", "/x", ["x/y", "/1", "/2?q=/z/#w/v"]],
        ["a.example", "/"],
        ["b.example:8443", "/"],
    ]
    assert (tree[0].tracked, len(tree[0].all_urls)) == (2, 3)


@pytest.mark.parametrize(
    "source", ["https://[::1/x", "https://a.example/<%= recipient.x %>", "mailto:x", "", "//"]
)
def test_odd_addresses_have_a_place(source: str) -> None:
    """No address is left out, whatever it looks like."""
    (node,) = tree_of(links(source))

    assert [source] == [url.source for url in node.all_urls]


def test_a_node_is_found_by_its_key() -> None:
    """Keys are where the links of a node begin; one that is gone is told."""
    tree = tree_of(links("https://a.example/x/1", "https://a.example/y/2"))

    assert find(tree, "https://a.example/y").name == "y"
    with pytest.raises(NotFound):
        find(tree, "https://a.example/z")
