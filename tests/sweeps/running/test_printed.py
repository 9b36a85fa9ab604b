"""`--launcher print`: a shell script that prepares and runs everything, whatever stands in its names."""

import shlex
import subprocess

from flan_jax.sweeps import planning
from flan_jax.sweeps.running.launchers import printed
from flan_jax.sweeps.running.launchers.settings import Settings
from tests.sweeps.toy_sweep import toy_sweep


def test_the_script_is_one_of_the_shell_and_has_every_run_once(tmp_path, capsys):
  odd = tmp_path / "it's a $folder"
  plan = planning.load(toy_sweep(tmp_path), folder=odd)
  printed.launch(plan, plan.runs[1:], Settings(), lambda: None)
  script = capsys.readouterr().out
  subprocess.run(["bash", "-n"], input=script, text=True, check=True)
  lines = [shlex.split(line) for line in script.splitlines() if line and not line.startswith("#")]
  prepares = [line for line in lines if line[:2] == ["flan-jax", "prepare"]]
  runs = lines[len(prepares) :]
  assert [line[1:] for line in runs] == [
    ["-m", "flan_jax.sweeps.running.execution", str(run.folder)] for run in plan.runs[1:]
  ]
  assert len(prepares) == len({run.training.mixture_or_task_name for run in plan.runs[1:]})
  assert f"# toy: {len(runs)} of {len(plan.runs)} runs are to be done" in script
  for run in plan.runs[1:]:
    assert f"#   flan-jax train {shlex.quote(f'--gin_file={run.folder}/run.gin')}\n" in script


def test_nothing_to_do_is_nothing_to_prepare(tmp_path, capsys):
  plan = planning.load(toy_sweep(tmp_path), folder=tmp_path / "sweep")
  printed.launch(plan, [], Settings(), lambda: None)
  assert capsys.readouterr().out == f"# toy: 0 of {len(plan.runs)} runs are to be done\n"
