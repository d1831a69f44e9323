"""Rows -> a Parquet table."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from vitviz.errors import VitvizError


def check_parquet() -> None:
    """VitvizError without pyarrow."""
    if find_spec("pyarrow") is None:
        raise VitvizError("Parquet needs pyarrow: pip install 'vitviz[parquet]'.")


def parquet(rows: Sequence[Mapping[str, Any]], about: Mapping[str, str]) -> bytes:
    """Rows with the same columns as a Parquet file; `about` goes into its metadata. VitvizError without pyarrow."""
    check_parquet()
    import pyarrow.parquet

    names: dict[str, None] = {}
    for row in rows:
        names |= dict.fromkeys(row)
    columns = {name: pyarrow.array([row.get(name) for row in rows]) for name in names}
    table = pyarrow.table(columns).replace_schema_metadata(dict(about))
    data = io.BytesIO()
    pyarrow.parquet.write_table(table, data, compression="zstd")
    return data.getvalue()
