"""The schema beside the example configurations is the one that gradflow goes by.

After a change that is meant, write it anew: ``GRADFLOW_UPDATE_GOLDEN=1 pytest
tests/config/test_schema.py``.
"""

from __future__ import annotations

import os

from tests.cli.command import ROOT, here

STORED = ROOT / "configs" / "gradflow.schema.json"


def test_the_schema_that_editors_complete_from_is_the_one_that_counts() -> None:
    schema = here("schema", "config").stdout
    if os.environ.get("GRADFLOW_UPDATE_GOLDEN"):
        STORED.write_text(schema, encoding="utf-8")

    assert STORED.read_text(encoding="utf-8") == schema
