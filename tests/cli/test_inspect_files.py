"""`inspect --files`: no file of a data folder is passed over, and what is lost of each is told."""

import json
import shutil

import pytest

from flan_jax.data import census


@pytest.fixture
def folder(toy, tmp_path, monkeypatch):
  """The toy's files with some of what goes wrong."""
  monkeypatch.setattr("os.cpu_count", lambda: 1)
  folder = tmp_path / "data"
  shutil.copytree(toy.data_dir, folder)
  with (folder / "toy" / "capitals.tsv").open("a") as file:
    file.write("a line with one column\nanother\tcity\tbecause\n")
  (folder / "toy" / "b.tsv").write_text("")
  (folder / "toy" / "README.md").write_text("About it")
  (folder / "toy" / "notes.docx").write_text("What is this?")
  (folder / ".hidden").write_text("no data")
  return folder


@pytest.fixture
def files(folder, said):
  found = json.loads(said("inspect", "--files", "--data_dir", folder, "--json"))
  return {file["file"]: file for file in found["files"]}


def test_every_file_has_a_status(files):
  assert {name: file["status"] for name, file in files.items()} == {
    "toy/README.md": "not read",
    "toy/a.tsv": "read",
    "toy/b.tsv": "refused",
    "toy/capitals.tsv": "read",
    "toy/notes.docx": "unknown",
    "toy/parity.jsonl": "read",
  }


def test_malformed_records_are_counted_and_told(files):
  (task,) = files["toy/capitals.tsv"]["tasks"]
  assert (task["records"], task["examples"], task["malformed"]) == (62, 61, 1)
  assert "capitals.tsv:61: 1 columns instead of 3" in task["problems"][0]


def test_a_file_that_cannot_be_read_says_why(files):
  assert "the file is empty" in files["toy/b.tsv"]["why"]


def test_the_table_adds_up(folder, said):
  text = said("inspect", "--files", "--data_dir", folder)
  rows = [line.split("\t") for line in text.split("\n\n")[0].splitlines()]
  heading, *lines, total = [dict(zip(rows[0], row, strict=True)) for row in rows]
  assert heading["records"] == "records"
  for name in ("files", "tasks", "records", "examples", "malformed"):
    assert sum(int(line[name].replace(",", "")) for line in lines) == int(total[name].replace(",", ""))
  assert (total["files"], total["records"], total["malformed"]) == ("6", "104", "1")
  assert "toy/notes.docx: no task claims it" in text
  assert "about the data" in text


@pytest.mark.slow
def test_everything_in_the_shared_data_loads_or_is_refused_with_a_reason(shared_data):
  reports = census.census(shared_data, processes=1)
  on_disk = {path.relative_to(shared_data).as_posix() for path in shared_data.rglob("*") if path.is_file()}
  assert {report.file for report in reports} == on_disk
  assert not [report.file for report in reports if report.status == "unknown"]
  assert all(report.why for report in reports if report.status not in ("read", "refused in part"))
  assert {report.file: report.why for report in reports if report.status.startswith("refused")} == {
    "p3/trec_fine_grained_ENTY.jsonl": "the file is empty",
    "p3/trec_fine_grained_NUM_context_first.jsonl": "the file is empty",
  }
  examples = {}
  for report in reports:
    if report.status == "read":
      examples[report.kind] = examples.get(report.kind, 0) + report.total("examples")
  # As its README says: 6,511 of Big-Bench Hard, 112 tasks of Super-NI with at most 150 each, 2,750 of MGSM.
  assert examples["json"] == 6_511
  assert examples["natural_instructions"] == 16_415
  assert examples["tsv"] == 33_443 - 6 + 2_750
  templates = [task for report in reports if report.kind == "promptsource" for task in report.tasks]
  # T0's held-out tasks are some of PromptSource's templates, read as a collection of their own.
  assert sum(task.task.startswith("promptsource.") for task in templates) == 2_085
  assert {task.task.partition(".")[0] for task in templates} == {"promptsource", "t0_held_out"}
  assert all(task.lacking and not task.error for task in templates)


def test_a_template_that_is_none_is_refused(tmp_path, monkeypatch, shared_data):
  """Compiled without its rows, a template still tells that it is broken."""
  monkeypatch.setattr("os.cpu_count", lambda: 1)
  whole = shared_data / "promptsource" / "templates" / "ag_news" / "templates.yaml"
  broken = tmp_path / "promptsource" / "templates" / "ag_news" / "templates.yaml"
  broken.parent.mkdir(parents=True)
  broken.write_text(whole.read_text().replace("{{", "{{ )", 1))
  (report,) = census.census(tmp_path)
  assert report.status == "refused in part"
  assert "templates.yaml" in report.why


def test_templates_and_their_rows_are_told_once(tmp_path, monkeypatch, shared_data):
  monkeypatch.setattr("os.cpu_count", lambda: 1)
  folder = tmp_path / "promptsource" / "templates" / "ag_news"
  folder.mkdir(parents=True)
  shutil.copy(shared_data / "promptsource" / "templates" / "ag_news" / "templates.yaml", folder)
  (tmp_path / "rows" / "ag_news").mkdir(parents=True)
  rows = [{"text": f"Shares of firm {i} rise.", "label": label} for i, label in enumerate((2, 3, -1))]
  (tmp_path / "rows" / "ag_news" / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
  found, beside = census.census(tmp_path)
  assert (found.status, len(found.tasks)) == ("read", 7)
  assert found.total("records") == 7 * 3
  assert 0 < found.total("examples") <= 7 * 2  # a label of -1 is no example
  assert (beside.status, beside.why, beside.tasks) == ("read", f"with {found.file}", ())
