"""The parameters of web visits, field 9 of their lines: by column, percent-decoded once.

Source: spec §1.9, §4.5.
"""

from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["TAG", "amounts", "articles", "values"]

TAG: Final = "tagid"
"""The parameter that comes first and names the web tag."""

_AMOUNT: Final = r"\A-?[0-9]{1,15}(?:\.[0-9]{1,15})?\z"
_ARTICLE: Final = r"\A-?[0-9]{1,15}\z"


def values(parameters: Any, name: str) -> Any:
    """Give the value of one parameter in each text, the first; null where it is not there.

    Shape: from a column of text to one as long.
    """
    if not pc.any(pc.not_equal(parameters, "")).as_py():
        return pa.chunked_array([pa.nulls(len(parameters), pa.string())])
    pattern = rf"(?:\A|&){name}=(?P<value>[^&]*)"
    found = pc.struct_field(pc.extract_regex(parameters, pattern), "value")
    if not pc.any(pc.match_substring(found, "%")).as_py():
        return found
    texts = found.dictionary_encode().combine_chunks()
    decoded = pa.array([unquote(text) for text in texts.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([decoded.take(texts.indices)])


def amounts(parameters: Any) -> Any:
    """Give the amounts; null where there is none, or no plain number.

    Shape: f64.
    """
    return _numbers(values(parameters, "amount"), _AMOUNT).cast(pa.float64())


def articles(parameters: Any) -> Any:
    """Give the numbers of items; null where there is none, or no whole number.

    Shape: i64.
    """
    return _numbers(values(parameters, "article"), _ARTICLE).cast(pa.int64())


def _numbers(texts: Any, pattern: str) -> Any:
    return pc.if_else(pc.match_substring_regex(texts, pattern), texts, None)
