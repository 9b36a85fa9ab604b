"""Laws of a sweep's table: it comes back as it was written, from Parquet exactly and from CSV as far as CSV can."""

import math

import pyarrow as pa
import pyarrow.csv
import pytest

from flan_jax.errors import FlanJaxError
from flan_jax.sweeps.results import columns
from flan_jax.sweeps.results import table as tables
from tests.sweeps.made_up_sweep import CLUSTERS, Effects, made_up_table, planted, write_made_up

AXES = {"tasks": [0, 10, 100], "model": ["t5_demo_small", "t5_demo"], "seed": [0, 1]}


def test_parquet_comes_back_as_it_was(tmp_path):
  written = write_made_up(tmp_path, AXES)
  assert tables.read(tmp_path).equals(written)


def test_csv_says_the_same(tmp_path):
  written = write_made_up(tmp_path, AXES, states={"tasks-10_model-t5_demo_seed-1": "failed"})
  types = pyarrow.csv.ConvertOptions(
    column_types=written.schema, strings_can_be_null=True, quoted_strings_can_be_null=False
  )
  read = pyarrow.csv.read_csv(tmp_path / tables.CSV, convert_options=types)
  assert read.equals(written)


@pytest.mark.parametrize(
  ("values", "kind"),
  [
    ([0, 9, None], pa.int64()),
    ([1, 0.5], pa.float64()),
    ([True, False], pa.bool_()),
    (["a", None], pa.string()),
    ([True, 0.5], pa.string()),
    ([None], pa.string()),
  ],
)
def test_an_axis_has_the_type_of_its_values(values, kind):
  table = tables.from_rows([{"axis.thing": value} for value in values], {"thing": values})
  assert table.schema.field("axis.thing").type == kind
  expected = [None if each is None else str(each) if kind == pa.string() else each for each in values]
  assert table["axis.thing"].to_pylist() == expected


def test_columns_are_those_that_are_promised():
  table = made_up_table({"cot": [True, False]})
  assert set(table.column_names) == {*columns.RUN, "axis.cot", *columns.OBSERVATION}
  assert table.schema.names[-len(columns.OBSERVATION) :] == list(columns.OBSERVATION)


def test_tables_of_several_sweeps_stand_under_each_other():
  one = made_up_table({"tasks": [10], "rate": [1, 2]}, name="one", losses=False)
  other = made_up_table({"rate": [0.5, 1.0], "window": [8]}, name="other", losses=False)
  both = tables.together([one, other])
  assert both.num_rows == one.num_rows + other.num_rows
  assert both["axis.rate"].type == pa.float64()
  assert set(both["axis.rate"].to_pylist()) == {0.5, 1.0, 2.0}
  assert both.filter(pa.compute.equal(both["sweep"], "other"))["axis.tasks"].null_count == other.num_rows
  texts = made_up_table({"rate": ["a"]}, name="texts", losses=False)
  assert set(tables.together([one, texts])["axis.rate"].to_pylist()) == {"1", "2", "a"}


def test_a_folder_without_a_table_says_how_to_make_one(tmp_path):
  with pytest.raises(FlanJaxError, match="--table"):
    tables.read(tmp_path)
  (tmp_path / tables.PARQUET).write_bytes(b"PAR1, or something else")
  with pytest.raises(FlanJaxError, match="not the table"):
    tables.read(tmp_path)
  pa.parquet.write_table(pa.table({"sweep": ["x"]}), tmp_path / tables.PARQUET)
  with pytest.raises(FlanJaxError, match="no column"):
    tables.read(tmp_path)


def test_what_is_planted_comes_out():
  """Shares of many questions lie where the planted logit says, once nothing else is drawn."""
  effects = Effects(seeds=0.0, task=0.0)
  table = made_up_table(AXES, effects, questions=20_000, losses=False)
  rows = [row for row in table.to_pylist() if row["task"] and row["cluster"]]
  assert len(rows) == 12 * 3 * sum(map(len, CLUSTERS.values()))
  for row in rows:
    axes = {name[5:]: value for name, value in row.items() if name.startswith("axis.")}
    way = 1 / (1 + math.exp(-planted(effects, axes, row["tuned"], row["variant"], row["cluster"])))
    assert row["value"] == pytest.approx(row["chance"] + (1 - row["chance"]) * way, abs=0.02)
    assert row["low"] <= row["value"] <= row["high"]


def test_a_run_has_the_same_values_in_a_larger_grid():
  small, large = made_up_table({"tasks": [10], "seed": [1]}), made_up_table({"tasks": [0, 10, 40], "seed": [0, 1, 2]})
  assert large.filter(pa.compute.equal(large["run"], "tasks-10_seed-1")).equals(small)


def test_runs_can_be_missing_and_unfinished():
  axes = {"tasks": [0, 10], "seed": [0, 1]}
  states = {"tasks-10_seed-0": "stopped", "tasks-10_seed-1": "waiting"}
  table = made_up_table(axes, base=True, states=states)
  rows = {run: [each for each in table.to_pylist() if each["run"] == run] for run in table["run"].unique().to_pylist()}
  assert list(rows) == ["tasks-0", "tasks-10_seed-0", "tasks-10_seed-1"]
  assert {row["axis.seed"] for row in rows["tasks-0"]} == {None}
  assert {row["quantity"] for row in rows["tasks-10_seed-0"]} == {"loss", "held_out_loss", "unseen_loss"}
  assert [row["quantity"] for row in rows["tasks-10_seed-1"]] == [None]
  less = made_up_table(axes, missing=["tasks-0_seed-1"])
  assert less["run"].unique().to_pylist() == ["tasks-0_seed-0", "tasks-10_seed-0", "tasks-10_seed-1"]
