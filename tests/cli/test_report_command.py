"""`flan-jax report` as a user meets it."""

import json

from flan_jax.cli.main import run
from tests.sweeps.made_up_sweep import write_made_up


def test_says_what_was_found_and_where_it_is(said, tmp_path):
  write_made_up(tmp_path, {"learning_rate": [0.01, 0.1], "seed": [0]}, questions=20, losses=False)
  printed = said("report", tmp_path)
  content = json.loads((tmp_path / "report" / "findings.json").read_text())
  assert printed.startswith("2 runs: 2 finished.")
  assert content["figures"][0]["findings"][0]["sentence"] in " ".join(printed.split())
  assert printed.rstrip().splitlines()[-1].startswith(str(tmp_path / "report" / "index.html"))


def test_prints_the_findings_as_json_and_takes_a_folder_and_a_title(said, tmp_path):
  write_made_up(tmp_path, {"seed": [0]}, losses=False, states={"seed-0": "waiting"})
  printed = said("report", tmp_path, "--output", tmp_path / "other", "--title", "Mine", "--json")
  assert json.loads(printed) == json.loads((tmp_path / "other" / "findings.json").read_text())
  assert json.loads(printed)["title"] == "Mine"
  assert "<title>Mine</title>" in (tmp_path / "other" / "index.html").read_text()


def test_a_folder_without_a_sweep_is_one_line(tmp_path, capsys):
  assert run(["report", str(tmp_path)]) == 1
  assert capsys.readouterr().err.startswith(f"flan-jax: {tmp_path}/table.parquet: no such file")
  assert run(["report"]) == 2
