"""Run the examples of the documents as tests: docs that nobody runs go wrong.

Examples run in any order, so each one stands alone. Those of docstrings are run by pytest itself.
"""

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

collect_ignore_glob = ["src/aftersend/database/migrations/*"]  # only Alembic can import these

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()], patterns=["*.md"]
).pytest()
