"""Laws of a report's folder: all of it follows from the tables, unfinished sweeps too, and says so in three ways."""

import json

import pytest

from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.sweeps import folder as sweep_folder
from flan_jax.sweeps.plan import RUN_RECORD
from flan_jax.sweeps.report import writing
from flan_jax.sweeps.results import collecting
from flan_jax.sweeps.results import table as tables
from flan_jax.sweeps.running import execution
from tests.sweeps.made_up_sweep import write_made_up
from tests.sweeps.small_programs import EVALUATES, TRAINS, plan_of

AXES = {"cot": [True, False], "seed": [0, 1]}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
  """Of the tables of two sweeps, one with a cell missing and a failed run."""
  folder = tmp_path_factory.mktemp("sweeps")
  gaps = {"missing": ["cot-True_seed-0"], "states": {"cot-False_seed-1": "failed"}}
  write_made_up(folder / "a", AXES, name="cot", questions=20, losses=False, **gaps)
  write_made_up(folder / "b", {"few_shot": [0.0, 1.0], "seed": [0]}, name="few", questions=20, losses=False)
  write_made_up(folder / "c", {"tasks": [5, 10, 40], "seed": [0]}, name="tasks", questions=20, losses=False)
  return writing.write([folder / "a", folder / "b", folder / "c"], folder / "new" / "report")


def test_a_report_is_a_page_findings_and_two_pictures_a_figure(report):
  names = {path.name for path in report.page.parent.iterdir()}
  pictures = {f"{figure.name}.{kind}" for figure in report.figures for kind in ("png", "svg")}
  assert {figure.name for figure in report.figures} >= {"cot", "formats", "tasks"}
  assert names == {"index.html", "findings.json", *pictures}


def test_findings_are_the_same_in_json_on_the_page_and_in_the_terminal(report):
  content = json.loads((report.page.parent / "findings.json").read_text())
  assert json.loads(report.json) == content
  text = " ".join(" ".join(writing.lines(report)).split())
  page = report.page.read_text()
  for figure, said in zip(report.figures, content["figures"], strict=True):
    assert (figure.name, figure.title, list(figure.notes)) == (said["name"], said["title"], said["notes"])
    fits = [series.fit_text for panel in figure.panels for series in panel.series if series.fit_text]
    assert [fit["text"] for fit in said["fits"]] == fits
    for finding, entry in zip(figure.findings, said["findings"], strict=True):
      assert (entry["sentence"], entry["verdict"]) == (finding.sentence, finding.verdict)
      assert f"[{finding.verdict}] {finding.sentence}" in text
      assert json.dumps(finding.sentence)[1:-1] in page
    assert all(note in text for note in figure.notes)
  assert "8 runs: 7 finished, 1 failed." in text
  assert "<title>cot · few · tasks</title>" in page


def test_nothing_measured_is_a_report_too(tmp_path):
  states = {f"cot-{cot}_seed-{seed}": "waiting" for cot in AXES["cot"] for seed in AXES["seed"]}
  write_made_up(tmp_path, AXES, states=states, losses=False)
  found = writing.write([tmp_path], tmp_path / "report")
  assert found.figures == []
  assert "No figure" in "\n".join(writing.lines(found))
  assert found.page.exists()


def test_a_sweep_that_goes_on_is_reported_as_it_is_now(tmp_path):
  programs = {name: {"train": TRAINS, "evaluate held_out": EVALUATES} for name in ("a", "b")}
  plan = plan_of(tmp_path, programs)
  small = [json.loads((run.folder / RUN_RECORD).read_text()) for run in plan.runs]
  sweep_folder.write(plan)
  said = []
  for run, program in zip(plan.runs, small, strict=True):
    path = run.folder / RUN_RECORD
    path.write_text(json.dumps({**json.loads(path.read_text()), "commands": program["commands"]}))
    execution.execute(run.folder)
    said.append(writing.write([tmp_path], tmp_path / "report").about)
  assert [text.partition(".")[0] for text in said] == ["2 runs: 1 finished, 1 waiting", "2 runs: 2 finished"]
  written = (tmp_path / tables.PARQUET).stat().st_mtime_ns
  writing.write([tmp_path], tmp_path / "report")
  assert (tmp_path / tables.PARQUET).stat().st_mtime_ns == written  # nothing is new


def test_more_seeds_from_elsewhere_join_a_sweep_and_the_same_run_twice_is_refused(tmp_path):
  for name, seeds in (("a", [0, 1]), ("b", [2]), ("c", [1])):
    write_made_up(tmp_path / name, {"cot": [True, False], "seed": seeds}, name="cot", questions=20, losses=False)
  joined = writing.write([tmp_path / "a", tmp_path / "b"], tmp_path / "report")
  assert joined.about.startswith("6 runs")
  with pytest.raises(UsageError, match=r"a and .*c both have the run cot-True_seed-1 of a sweep cot"):
    writing.write([tmp_path / "a", tmp_path / "c"], tmp_path / "report")


def test_a_table_of_another_version_is_written_again_where_its_runs_are(tmp_path):
  plan = plan_of(tmp_path, {"a": {"train": TRAINS}})
  sweep_folder.write(plan)
  whole = collecting.write(plan)
  tables.save(whole.drop_columns(["score"]), tmp_path)
  writing.write([tmp_path], tmp_path / "report")
  assert tables.read(tmp_path).equals(whole)


def test_other_folders_are_refused_by_name(tmp_path):
  with pytest.raises(FlanJaxError, match=r"table\.parquet"):
    writing.write([tmp_path], tmp_path / "report")
  write_made_up(tmp_path, {"seed": [0]}, questions=5, losses=False)
  (tmp_path / "sweep.json").write_text("{")
  with pytest.raises(FlanJaxError, match=r"sweep\.json"):
    writing.write([tmp_path], tmp_path / "report")
