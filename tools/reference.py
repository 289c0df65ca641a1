"""Write the reference from the code: ``python -m tools.reference [--check]``.

Commands, settings, indicators and errors are described where they are declared. The pages under
`docs/reference/` repeat that and nothing else; `--check` tells whether they still do.
"""

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final

import typer.main

from aftersend import errors
from aftersend.cli.main import root as command_root
from aftersend.settings import Settings
from tools import indicator_dictionary

__all__ = ["FOLDER", "main", "pages"]

FOLDER: Final = Path(__file__).parents[1] / "docs" / "reference"
_NOTE: Final = "Written by `make reference` from the code. Change it there."


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` name those that are not what the code says."""
    stale = []
    for name, text in pages().items():
        path = FOLDER / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if "--check" not in arguments:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    if stale and "--check" in arguments:
        print(f"reference: not what the code says: {', '.join(stale)}. Run `make reference`.")
        return 1
    return 0


def pages() -> dict[str, str]:
    """Give every page by its file name."""
    bodies: Mapping[str, tuple[str, Iterator[str]]] = {
        "commands.md": ("Commands", _commands()),
        "settings.md": ("Settings", _settings()),
        "indicators.md": ("Indicators", indicator_dictionary.lines()),
        "errors.md": ("Errors", _errors()),
    }
    made = {
        name: "\n".join((f"# {title}", "", _NOTE, *body)).rstrip() + "\n"
        for name, (title, body) in bodies.items()
    }
    index = [f"- [{title}]({name})" for name, (title, _) in bodies.items()]
    return {"README.md": "\n".join(("# Reference", "", _NOTE, "", *index)) + "\n", **made}


def _commands() -> Iterator[str]:
    root = typer.main.get_command(command_root)
    yield from ("", "Options of `aftersend` itself:")
    yield from _options(root.params)
    yield from _command(root, "aftersend")


def _command(command: Any, name: str) -> Iterator[str]:
    for word, child in sorted(getattr(command, "commands", {}).items()):
        path = f"{name} {word}"
        if getattr(child, "commands", None):
            yield from _command(child, path)
            continue
        arguments = [_argument(param) for param in child.params if not _is_option(param)]
        yield from ("", f"## {path}", "", _flat(child.help), "")
        yield f"`{' '.join((path, *arguments))}`"
        yield from _options([param for param in child.params if _is_option(param)])


def _is_option(param: Any) -> bool:
    return bool(param.opts[0].startswith("-"))


def _argument(param: Any) -> str:
    name = (param.metavar or param.name).upper()
    many = "…" if param.nargs == -1 else ""
    return f"{name}{many}" if param.required else f"[{name}{many}]"


def _options(params: Sequence[Any]) -> Iterator[str]:
    if not params:
        return
    yield from ("", "| option | meaning |", "|---|---|")
    for param in params:
        names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
        value = "" if getattr(param, "is_flag", False) else f" {_value(param)}"
        default = "" if param.default in {None, False} else f"default: {param.default}"
        notes = [param.help or "", "needed" if param.required else "", default]
        yield f"| {names}{value} | {_cell('; '.join(filter(None, notes)))} |"


def _value(param: Any) -> str:
    kind = param.type_descriptor.annotation
    if param.metavar:
        return str(param.metavar)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(str(member.value) for member in kind)
    return {int: "N", str: "TEXT"}.get(kind, "")


def _settings() -> Iterator[str]:
    yield from (
        "",
        "Names in `aftersend.toml`; `AFTERSEND_<SECTION>__<NAME>` in the environment wins.",
    )
    schema = Settings.model_json_schema()
    yield from ("", "`[keys]` maps key ids, 1 to 255, to secrets of 32 to 128 hex digits.")
    for section, field in schema["properties"].items():
        target = _resolved(field, schema)
        if "properties" not in target:
            continue
        yield from ("", f"## {section}", "", _flat(target.get("description", "")), "")
        yield from ("| name | type | default | meaning |", "|---|---|---|---|")
        needed = set(target.get("required", ()))
        for name, kind in target["properties"].items():
            default = "needed" if name in needed else _default(kind.get("default"))
            meaning = _cell(kind.get("description", ""))
            yield f"| `{name}` | {_kind(kind)} | {default} | {meaning} |"


def _resolved(field: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = field.get("$ref")
    if reference is None:
        return field
    found: Mapping[str, Any] = schema["$defs"][reference.rpartition("/")[2]]
    return found


def _kind(kind: Mapping[str, Any]) -> str:
    if "anyOf" in kind:
        kind = next(choice for choice in kind["anyOf"] if choice.get("type") != "null")
    name = {"string": "text", "boolean": "true or false", "array": "list", "object": "table"}.get(
        kind["type"], kind["type"]
    )
    lowest, highest = kind.get("minimum"), kind.get("maximum")
    if lowest is not None and highest is not None:
        return f"{name}, {lowest} to {highest}"
    return f"{name}, from {lowest}" if lowest is not None else name


def _default(value: object) -> str:
    if value is None or value in ([], {}, ""):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _errors() -> Iterator[str]:
    yield from ("", "| error | means | what to do |", "|---|---|---|")
    for name in errors.__all__:
        what, _, todo = inspect.cleandoc(getattr(errors, name).__doc__).partition("\n\n")
        yield f"| `{name}` | {_cell(what)} | {_cell(todo)} |"


def _flat(text: str | None) -> str:
    return "\n".join(line.strip() for line in (text or "").strip().splitlines())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
