"""The published catalogue and our tasks are matched by name, and what is said of the counts adds up."""

import csv

import hypothesis.strategies as st
import pytest
from hypothesis import given

from flan_jax import errors
from flan_jax.data import catalogue, specs

ROWS = [
  ("FLAN", "rte", "Natural Language Inference", "Natural Language Inference"),
  ("FLAN", "rte", "Inverted Natural Language Inference", "Inverted Natural Language Inference"),
  ("FLAN", "mnli", "Natural Language Inference", "Natural Language Inference"),
  ("FLAN", "mnli", "Natural Language Inference", "Natural Language Inference"),
  ("T0", "cos_e", "cos_e_v1.11_i_think", "Multiple-Choice QA"),
  ("NIv2", "adversarial_qa", "task1640_aqa1", "Answerability Classification"),
  ("CoT", "stream_aqua", "Algebraic Question Answering", "Algebraic Question Answering"),
  ("CoT", "stream_aqua", "Explanation Generation", "Explanation Generation"),
]


def spec(name, dataset="", turned="", kind="nli"):
  collection, _, task = name.partition(".")
  common = {"reader": {}, "type": kind, "cluster": "c", "category": "x"}
  return specs.TaskSpec(name, collection, dataset=dataset or task, inverted_of=turned, **common)


@pytest.fixture
def rows(tmp_path):
  path = tmp_path / catalogue.FILE
  with path.open("w", newline="") as file:
    csv.writer(file).writerows([(*catalogue._COLUMNS, "Languages"), *((*row, "English") for row in ROWS)])
  return catalogue.read(path)


TASKS = [
  spec("flan2021.rte"),
  spec("flan2021.rte_inverted", "rte", "flan2021.rte"),
  spec("flan2021.mnli_matched", "mnli"),
  spec("flan2021.mnli_mismatched", "mnli"),
  spec("flan2021.mnli_third", "mnli"),
  spec("p3.cos_e_v1_11_i_think"),
  spec("super_ni.task1640_aqa1.0_answerable_unanswerable_question_classification"),
  spec("cot.aqua"),
  spec("cot.aqua_explanation", "aqua", "cot.aqua", "explanation_of_answer"),
  spec("cot.aqua_question", "aqua", "cot.aqua", "question_from_answer"),
  spec("demo.rte"),
]


def test_rows_are_found_by_dataset_and_direction_by_name_or_by_number(rows):
  matched = catalogue.covered(rows, TASKS)
  assert sorted(matched) == sorted(
    task.name for task in TASKS if task.name not in ("flan2021.mnli_third", "cot.aqua_question", "demo.rte")
  )
  assert matched["flan2021.rte_inverted"].category.startswith("Inverted")
  assert matched["cot.aqua_explanation"].category == "Explanation Generation"


def test_every_row_and_task_is_covered_or_named(rows):
  found = catalogue.reconciled(TASKS[1:], rows)
  named = [name for names in found["tasks_without_a_row"].values() for name in names]
  assert named == ["flan2021.mnli_third", "cot.aqua_question", "demo.rte"]
  assert found["rows_without_a_task"] == {"FLAN": ["rte: Natural Language Inference"]}
  assert any(line["of"] == "FLAN" and line["note"].startswith("1 rows have no task") for line in found["notes"])
  whole = found["submixtures"][-1]
  assert (whole["tasks of ours"], whole["rows"], whole["rows turned round"]) == (7, 8, 2)
  assert sum(line["in the catalogue"] for line in found["collections"]) == 7


DATASETS = st.sampled_from(["rte", "cos_e_v1.11_i_think", "task1_a", "stream_aqua"])
A_ROW = st.builds(
  catalogue.Row,
  st.sampled_from(["FLAN", "T0", "NIv2", "CoT"]),
  DATASETS,
  DATASETS,
  st.sampled_from(["Inverted Summarization", "Summarization", "Question Generation"]),
)


@given(st.lists(A_ROW, max_size=12), st.lists(st.sampled_from(TASKS), unique_by=lambda task: task.name))
def test_no_row_and_no_task_is_counted_twice_or_lost(rows, tasks):
  found = catalogue.reconciled(tasks, rows)
  covered = found["submixtures"][-1]["tasks of ours"]
  assert covered + sum(map(len, found["rows_without_a_task"].values())) == len(rows)
  assert covered + sum(map(len, found["tasks_without_a_row"].values())) == len(tasks)


def test_without_the_file_the_published_numbers_stand():
  found = catalogue.reconciled(TASKS, None)
  assert found["catalogue"] is None
  whole = found["submixtures"][-1]
  assert (whole["rows"], whole["paper's tasks"], whole["tasks of ours"]) == (1945, 1836, None)
  assert any(catalogue.FILE in line["note"] for line in found["notes"])


def test_another_file_is_refused(tmp_path):
  path = tmp_path / "other.csv"
  path.write_text("a,b\n1,2\n")
  with pytest.raises(errors.FlanJaxError, match=r"other\.csv:1: no column 'Source'"):
    catalogue.read(path)


def test_the_published_counts_are_those_of_the_published_file(shared_data):
  rows = catalogue.read(shared_data / catalogue.FILE)
  for one in catalogue.published():
    for name, source in one.sources.items():
      assert sum(row.source == name for row in rows) == source.rows
  sources = {name: source for one in catalogue.published() for name, source in one.sources.items()}
  assert {row.source for row in rows} == set(sources)
  straight = {one.submixture: 0 for one in catalogue.published()}
  for one in catalogue.published():
    straight[one.submixture] = sum(
      row.source in one.sources and not one.sources[row.source].is_turned(row) for row in rows
    )
  # What the notes say: Muffin's 80 are the rows that are not turned round, Super-NI has 2 more than the paper.
  paper = {one.submixture: one.tasks for one in catalogue.published()}
  assert straight == {"muffin": 80, "t0_sf": 193, "niv2": 1556, "cot": 9, "all": 0}
  assert {name: straight[name] - paper[name] for name in paper if name != "all"} == {
    "muffin": 0,
    "t0_sf": 0,
    "niv2": 2,
    "cot": 0,
  }
  assert len(rows) == paper["all"] + 2 + sum(sources[row.source].is_turned(row) for row in rows)
