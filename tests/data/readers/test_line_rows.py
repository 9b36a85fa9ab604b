"""Lines are found block by block: where the blocks end makes no difference."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data import readers
from flan_jax.data.readers import rows


@settings(max_examples=100, deadline=None)
@given(content=st.text("a\n\r", min_size=1, max_size=30), block=st.integers(1, 9), mark=st.sampled_from(["", "\ufeff"]))
def test_blocks_and_byte_order_marks_make_no_difference(tmp_path_factory, content, block, mark):
  path = tmp_path_factory.mktemp("lines") / "f"
  path.write_bytes((mark + content).encode())
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(rows, "_BLOCK", block)
    read = rows.LineRows(path, lambda line: {"line": line})
    found = {read.id(row): read.read(row)["line"] for row in range(len(read))}
  lines = enumerate(content.split("\n"), 1)
  assert found == {str(number): line.rstrip("\r") for number, line in lines if line.rstrip("\r")}


def test_the_marks_of_windows_are_no_text(tmp_path):
  (tmp_path / "t.tsv").write_bytes(b"\xef\xbb\xbftext\tlabel\r\nfine\tyes\r\n\r\n")
  (tmp_path / "j.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "fine"}\r\n\r\n')
  table = readers.open_rows({"tsv": "t.tsv", "header": True}, tmp_path)
  objects = readers.open_rows({"jsonl": "j.jsonl"}, tmp_path)
  assert [table.read(row) for row in range(len(table))] == [{"text": "fine", "label": "yes"}]
  assert [objects.read(row) for row in range(len(objects))] == [{"text": "fine"}]
  assert objects.place(0) == f"{tmp_path}/j.jsonl:1"


def test_a_header_in_another_encoding_is_told(tmp_path):
  (tmp_path / "t.tsv").write_bytes("größe\tlabel\n".encode("latin-1"))
  with pytest.raises(errors.FlanJaxError, match=r"t\.tsv:1: the header is not UTF-8.*save the file as UTF-8"):
    readers.open_rows({"tsv": "t.tsv", "header": True}, tmp_path)


@pytest.mark.parametrize(
  "entry",
  [{"jsonl": "f"}, {"csv": "f"}, {"tsv": "f", "columns": ["a"]}, {"tsv": "f", "header": True}, {"self_instruct": "f"}],
)
def test_a_folder_in_place_of_a_file_is_told(tmp_path, entry):
  (tmp_path / "f").mkdir()
  with pytest.raises(errors.FlanJaxError, match=rf"{tmp_path}/f: it cannot be read: Is a directory"):
    readers.open_rows(entry, tmp_path)
