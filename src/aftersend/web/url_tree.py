"""The links of a delivery as a tree of hosts and paths, to switch many of them at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Self
from urllib.parse import urlsplit

from aftersend.database.urls import TrackedUrl
from aftersend.errors import NotFound

__all__ = ["Node", "find", "tree_of"]


@dataclass(slots=True)
class Node:
    """A host or a part of its paths: `key` is where its links begin, `name` what is shown."""

    key: str
    name: str
    nodes: dict[str, Self] = field(default_factory=dict)
    urls: list[TrackedUrl] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """Name the node for the page."""
        return blake2b(self.key.encode(), digest_size=8).hexdigest()

    @property
    def all_urls(self) -> Sequence[TrackedUrl]:
        """Give every link below."""
        return [*self.urls, *(url for node in self.nodes.values() for url in node.all_urls)]

    @property
    def tracked(self) -> int:
        """Count the links below that are tracked."""
        return sum(url.mode.is_tracked for url in self.all_urls)

    def rest(self, url: TrackedUrl) -> str:
        """Give what a link adds to the name of its node."""
        return url.source.removeprefix(self.key) or "/"


def tree_of(urls: Sequence[TrackedUrl]) -> list[Node]:
    """Sort links by host and path; steps on the way with nothing of their own are joined.

    >>> from aftersend.model.enumeration import Part, TrackingMode, UrlType
    >>> from aftersend.model.ids import DeliveryId, UrlId
    >>> urls = [
    ...     TrackedUrl(
    ...         UrlId(number),
    ...         DeliveryId(1),
    ...         Part.HTML,
    ...         source,
    ...         UrlType.EMAIL_CLICK,
    ...         TrackingMode.ENABLED,
    ...         "",
    ...         "",
    ...         1,
    ...     )
    ...     for number, source in enumerate(
    ...         ("https://a.example/b/c/d", "https://a.example/b/c/e?f", "https://z.example/"), 2
    ...     )
    ... ]
    >>> [(node.name, [(each.name, len(each.urls)) for each in node.nodes.values()])
    ...     for node in tree_of(urls)]
    [('a.example/b/c', []), ('z.example', [])]
    """
    hosts: dict[str, Node] = {}
    for url in urls:
        scheme, host, steps = _steps(url.source)
        top = f"{scheme}://{host}"
        node = hosts.setdefault(top, Node(top, host))
        for step in steps:
            key = f"{node.key}/{step}"
            node = node.nodes.setdefault(step, Node(key, step))
        node.urls.append(url)
    return [_joined(node) for node in hosts.values()]


def find(nodes: Sequence[Node], key: str) -> Node:
    """Find the node with a key.

    Raises:
        NotFound: the content has no such links any more.
    """
    for node in _walk(nodes):
        if node.key == key:
            return node
    raise NotFound("host or path", key[:200])


def _walk(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _walk(list(node.nodes.values()))


def _steps(source: str) -> tuple[str, str, list[str]]:
    """Take an address apart; the last step of a path is the link's own."""
    # Personalisation stands behind the question mark, if anywhere.
    bare = source.partition("?")[0].partition("#")[0].partition("<%")[0]
    try:
        parts = urlsplit(bare)
    except ValueError:
        return "", bare, []
    return parts.scheme, parts.netloc, parts.path.split("/")[1:-1]


def _joined(node: Node) -> Node:
    while not node.urls and len(node.nodes) == 1:
        (below,) = node.nodes.values()
        node = Node(below.key, f"{node.name}/{below.name}", below.nodes, below.urls)
    return Node(
        node.key,
        node.name,
        {name: _joined(each) for name, each in node.nodes.items()},
        node.urls,
    )
