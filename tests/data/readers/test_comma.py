"""CSV as RFC 4180 has it: what csv.writer wrote is read back at random, and what is malformed is told with its line."""

import csv
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data.readers import comma

cells = st.text(st.sampled_from('ab ",;\n\té'), max_size=6) | st.text(
  st.characters(exclude_categories=["Cs"]), max_size=5
)
rows_of_cells = st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(cells, min_size=n, max_size=n), max_size=6))


def written(folder, content: bytes, **entry) -> comma.CsvRows:
  (folder / "f.csv").write_bytes(content)
  return comma.open_csv({"csv": "f.csv", **entry}, folder)


@settings(max_examples=100, deadline=None)
@given(
  table=rows_of_cells.filter(bool),
  delimiter=st.sampled_from(",;\t"),
  end=st.sampled_from(["\n", "\r\n"]),
  quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
  header=st.booleans(),
  mark=st.booleans(),
)
def test_any_table_comes_back(tmp_path_factory, table, delimiter, end, quoting, header, mark):
  columns = [f"c{i}" for i in range(len(table[0]))]
  if any("\r" in cell for row in table for cell in row):
    quoting = csv.QUOTE_ALL  # as RFC 4180 has it; csv.writer leaves it out where lines end with \n alone
  file = io.StringIO()
  csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([columns] * header + table)
  content = b"\xef\xbb\xbf" * mark + file.getvalue().encode()
  entry = {"delimiter": delimiter} | ({} if header else {"columns": columns})
  rows = written(tmp_path_factory.mktemp("csv"), content, **entry)
  expected = [dict(zip(columns, row, strict=True)) for row in table]
  assert [rows.read(row) for row in range(len(rows))] == expected
  assert [rows.read(row) for row in reversed(range(len(rows)))] == expected[::-1]
  for row in range(len(rows)):
    before = content.decode("utf-8-sig").split("\n")[: int(rows.id(row)) - 1]
    assert sum(line.count('"') for line in before) % 2 == 0  # the line is the record's first, not one inside of a cell
  assert len({rows.id(row) for row in range(len(rows))}) == len(rows)


@settings(max_examples=200, deadline=None)
@given(content=st.text('ab",\n\r', max_size=30).map(str.encode) | st.binary(max_size=60), header=st.booleans())
def test_any_bytes_give_records_or_a_reason(tmp_path_factory, content, header):
  folder = tmp_path_factory.mktemp("csv")
  seen, told = [], []
  try:
    rows = written(folder, content, **({} if header else {"columns": ["a", "b"]}))
    for row in range(len(rows)):
      try:
        seen.append(rows.read(row))
      except ValueError as error:
        told.append(f"{rows.place(row)}: {error}")
  except errors.FlanJaxError as error:
    told.append(str(error))
  assert seen or told or header or not content.removeprefix(b"\xef\xbb\xbf").strip(b"\r\n")
  assert all(re.match(rf"{folder}/f\.csv(:\d+)?: .", text) for text in told)


def test_quotes_inside_a_plain_cell_are_text(tmp_path):
  rows = written(tmp_path, b'size,name\n5" wide,a\n6,b\n')
  assert [rows.read(row) for row in range(len(rows))] == [{"size": '5" wide', "name": "a"}, {"size": "6", "name": "b"}]


def test_a_cell_may_be_longer_than_the_csv_modules_limit(tmp_path):
  assert len(written(tmp_path, b"a\n" + b"x" * 300_000 + b"\n").read(0)["a"]) == 300_000


@pytest.mark.parametrize(
  ("content", "reason", "line"),
  [
    (b"a,b\n\n1,2\n1,2,3\n", "3 columns instead of 2 (a, b)", 4),
    (b'a,b\n"1\n1",2\n1,"2\n3,4\n', "a cell's closing quote is missing", 4),
    (b'a,b\n1,2\n"1"x,2\n', "',' expected after '\"'", 3),
    (b"a,b\n1,2\n\xff,2\n", "can't decode", 3),
  ],
)
def test_a_malformed_record_is_told_where_it_starts(tmp_path, content, reason, line):
  rows = written(tmp_path, content)
  assert rows.read(0)["b"] == "2"
  with pytest.raises(ValueError, match=re.escape(reason)):
    rows.read(1)
  assert rows.place(1) == f"{tmp_path}/f.csv:{line}"


@pytest.mark.parametrize(
  ("content", "entry", "reason"),
  [
    (b"", {}, "the file is empty"),
    (b"a,a\n1,2\n", {}, "f.csv:1: the header names 'a' twice"),
    (b"\n1,2\n", {}, "f.csv:1: the header is blank"),
    (b'a,"b\n1,2\n', {}, "f.csv:1: the header: a cell's closing quote"),
    (b"a,b\n", {"delimiter": "::"}, "the delimiter is '::'"),
  ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path, content, entry, reason):
  with pytest.raises(errors.FlanJaxError, match=re.escape(reason)):
    written(tmp_path, content, **entry)


def test_the_fingerprint_is_that_of_the_bytes(tmp_path):
  prints = [written(tmp_path, text).fingerprint() for text in (b"a\n1\n", b"a\n2\n", b"a\n1\n")]
  assert prints[0] == prints[2] != prints[1]


def test_the_shared_catalogue(shared_data):
  rows = comma.open_csv({"csv": "flan_collection_info.csv"}, shared_data)
  assert len(rows) == 1945
  assert {tuple(rows.read(row)) for row in range(len(rows))} == {
    ("Source", "Dataset", "Specific Task Category", "Generic Task Category", "Languages")
  }
