"""`flan-jax export` on a task of the embedded collection."""

import json

import pytest

from flan_jax.cli.main import run


def test_a_task_is_exported_and_told(tmp_path, capsys):
  out = tmp_path / "out"
  arguments = ["export", "demo.step_reverse", "--to", "jsonl", "--out", str(out), "--processes", "1"]
  assert run(arguments) == 0
  said = capsys.readouterr().out
  lines = (out / "demo.step_reverse" / "demo.step_reverse-00000-of-00001.jsonl").read_bytes().splitlines()
  assert f"{len(lines):,} examples of 1 tasks" in said
  assert str(out / "_mixture.json") in said
  assert json.loads((out / "_mixture.json").read_bytes())["rows"] == len(lines)
  assert run([*arguments, "--json"]) == 0
  assert json.loads(capsys.readouterr().out) == json.loads((out / "_mixture.json").read_bytes())


@pytest.mark.parametrize(
  ("more", "said"),
  [
    (["--module", "mine"], "come as tokens, not as texts"),
    (["--vocabulary", "demo"], "give --lengths I,T too"),
    (["--lengths", "12"], "write two whole numbers"),
    (["--split", "test"], "'test' is not one of"),
  ],
)
def test_what_cannot_be_exported_is_refused(tmp_path, capsys, more, said):
  assert run(["export", "demo.step_reverse", "--to", "jsonl", "--out", str(tmp_path / "out"), *more]) == 2
  assert said in capsys.readouterr().err
  assert not (tmp_path / "out").exists()
