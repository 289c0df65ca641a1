"""Golden cases of instructions: files that people read, one case each.

A case is a sentence, then sections that begin with `== name`::

    subject, html, text      what the author wrote
    formula                  a text that is no part of a message
    option X                 the value of the option X
    block X html             the HTML of the custom block X; its text: `block X text`
    object X                 the document X, JSON or XML
    url X, file X            what can be read there
    out subject, …           what came out
    refused                  the sentence that says why nothing came out

The names of built-in blocks are shown as `⟦built-in⟧`.

`python -m tests.support.instruction_golden` writes what the code does now into every case: read
the difference before it is kept.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

from aftersend.content.document import Object, read_document
from aftersend.content.instruction import (
    CustomBlock,
    Resources,
    built_in_views,
    expand,
    expand_text,
)
from aftersend.content.message import Source
from aftersend.errors import InvalidContent, InvalidInput

DIRECTORY = Path(__file__).parent.parent / "golden" / "instructions"

_WRITTEN = ("subject", "html", "text", "formula")


def run(case: str) -> str:
    """Write a case again with what the code makes of its input."""
    title, sections = _read(case)
    inputs = {
        name: text
        for name, text in sections.items()
        if name != "refused" and not name.startswith("out ")
    }
    return _write(title, {**inputs, **_outputs(inputs)})


def _outputs(inputs: dict[str, str]) -> dict[str, str]:
    resources = _resources(inputs)
    source = Source(inputs.get("subject", "-"), inputs.get("html"), inputs.get("text"))
    try:
        came_out = expand(source, resources)
        formula = expand_text("formula", inputs.get("formula", ""), resources)
    except InvalidContent as error:
        return {"refused": str(error).replace(", ".join(built_in_views()), "⟦built-in⟧")}
    texts = {
        "subject": came_out.subject,
        "html": came_out.html,
        "text": came_out.text,
        "formula": formula,
    }
    return {f"out {name}": texts[name] or "" for name in _WRITTEN if name in inputs}


def _resources(inputs: dict[str, str]) -> Resources:
    named = [(*name.split(" "), text) for name, text in inputs.items() if name not in _WRITTEN]
    objects: dict[str, Object] = {}
    texts: dict[str, dict[str, str]] = {"option": {}, "url": {}, "file": {}}
    blocks: dict[str, dict[str, str]] = {}
    for kind, name, *part, text in named:
        if kind == "block":
            blocks.setdefault(name, {"html": "", "text": ""})[part[0]] = text
        elif kind == "object":
            document = text if text.startswith("<") else json.loads(text)
            objects[name] = read_document(name, document)
        else:
            texts[kind][name] = text
    return Resources(
        blocks={name: CustomBlock(**parts) for name, parts in blocks.items()},
        options=texts["option"],
        objects=objects,
        fetch=_reader(texts["url"]),
        read=_reader(texts["file"]),
    )


def _reader(known: dict[str, str]) -> Callable[[str], str]:
    def read(name: str) -> str:
        if name not in known:
            raise InvalidInput(f"{name} cannot be read.")
        return known[name]

    return read


def _read(case: str) -> tuple[str, dict[str, str]]:
    title, *parts = re.split(r"^== (.+)\n", case, flags=re.MULTILINE)
    names, texts = parts[0::2], [text.removesuffix("\n") for text in parts[1::2]]
    return title.strip(), dict(zip(names, texts, strict=True))


def _write(title: str, sections: dict[str, str]) -> str:
    return f"{title}\n\n" + "".join(f"== {name}\n{text}\n" for name, text in sections.items())


if __name__ == "__main__":
    for path in sorted(DIRECTORY.glob("*.txt")):
        path.write_text(run(path.read_text(encoding="utf-8")), encoding="utf-8")
