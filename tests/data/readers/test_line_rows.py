"""Lines are found block by block: where the blocks end makes no difference."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.data.readers import rows


@settings(max_examples=100, deadline=None)
@given(content=st.text("a\n\r", min_size=1, max_size=30), block=st.integers(1, 9))
def test_blocks_make_no_difference(tmp_path_factory, content, block):
  path = tmp_path_factory.mktemp("lines") / "f"
  path.write_bytes(content.encode())
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(rows, "_BLOCK", block)
    read = rows.LineRows(path, lambda line: {"line": line})
    found = {read.id(row): read.read(row)["line"] for row in range(len(read))}
  lines = enumerate(content.split("\n"), 1)
  assert found == {str(number): line.rstrip("\r") for number, line in lines if line}
