"""Runs of sweeps whose commands are programs of a few lines: it costs milliseconds to see what becomes of them."""

import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from flan_jax.sweeps.plan import RUN_RECORD, STATE, Plan, PlannedRun
from flan_jax.sweeps.running import execution
from flan_jax.sweeps.sweep import Axis, Evaluation, Sweep
from tests.training.toy_run import toy_run

ROOT = pathlib.Path(__file__).parent.parent.parent
STEPS = 4
# What training leaves behind when it has done all steps.
TRAINS = f"""
import json, pathlib
print("trains")
pathlib.Path("{{folder}}/checkpoints/{STEPS}/record").mkdir(parents=True)
with open("{{folder}}/metrics.jsonl", "a") as file:
  for step in range(1, {STEPS + 1}):
    file.write(json.dumps(dict(step=step, loss=3.0 - step / 2, learning_rate=0.1, steps_per_s=2.0)) + "\\n")
"""
EVALUATES = """
import json, pathlib
print("evaluates")
folder = pathlib.Path("{folder}/evaluations/held_out")
folder.mkdir(parents=True)
common = dict(split="held_out", cluster="chains", format="zero_shot", n=20, chance=0.0, after=0.25, before=None)
row = dict(common, task="demo.a", after_ci=[0.1, 0.5], before_ci=None, no_answer_after=0.0, no_answer_before=None)
rows = [row, dict(row, split="seen", task="demo.b", after=0.75, after_ci=[0.5, 0.9])]
averages = [dict(each, cluster=None, tasks=1) for each in rows]
about = dict(name="demo_held_out")
(folder / "results.json").write_text(json.dumps(dict(about=about, rows=rows, averages=averages)))
"""
# Ends well when asked to, as training does when it has saved; says that it is there.
WAITS = """
import os, pathlib, signal, sys, time
def stop(*_):
  print("saved", flush=True)
  sys.exit(0)
signal.signal(signal.SIGTERM, stop)
pathlib.Path("{folder}/there").write_text(str(os.getpid()))
time.sleep(60)
"""
FAILS = "import sys; print('no room for the matrix'); sys.exit(3)"


def plan_of(folder: pathlib.Path, programs: Mapping[str, Mapping[str, str]]) -> Plan:
  """A sweep in a folder, its runs written.

  Args:
    programs: name of a run to its stages, each with the Python that it does.
  """
  runs = []
  for i, (name, stages) in enumerate(programs.items()):
    training = toy_run(folder / "runs" / name, folder / "store", STEPS, seed=i)
    run = PlannedRun(name, {"seed": i}, training)
    write_programs(run, stages)
    runs.append(run)
  sweep = Sweep(
    name="made_up",
    axes=[Axis(name="seed", values=list(range(len(runs))))],
    evaluations=[Evaluation(name="held_out", mixture="demo_held_out")],
    score="held_out/zero_shot",
  )
  return Plan(sweep, folder, tuple(runs))


def write_programs(run: PlannedRun, stages: Mapping[str, str]) -> None:
  """Says what a run's commands do."""
  run.folder.mkdir(parents=True, exist_ok=True)
  commands = []
  for stage, program in stages.items():
    path = run.folder / f"{stage.replace(' ', '_')}.py"
    path.write_text(program.replace("{folder}", str(run.folder)))
    commands.append({"stage": stage, "argv": [sys.executable, "-S", str(path)]})
  record = {"name": run.name, "config": run.config, "train_steps": STEPS, "commands": commands}
  (run.folder / RUN_RECORD).write_text(json.dumps(record))


def die_after_the_last_step(run: PlannedRun) -> None:
  """Leaves what a node does that goes between the last checkpoint and training's exit code."""
  (run.folder / f"checkpoints/{STEPS}/record").mkdir(parents=True)
  training = {"stage": "train", "stages": {"train": {"seconds": 9.0, "exit_code": None}}}
  (run.folder / STATE).write_text(json.dumps({"state": "running", "config": run.config, **training, "host": "gone"}))


def started(run: PlannedRun, *options: str) -> subprocess.Popen:
  """The execution of a run as a process of its own."""
  argv = [sys.executable, "-m", execution.__name__, str(run.folder), *options]
  return subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)


def until(happens: Callable[[], object], seconds: float = 60) -> object:
  """Waits for something, and gives what it was."""
  deadline = time.monotonic() + seconds
  while not (found := happens()):
    assert time.monotonic() < deadline, "it did not happen"
    time.sleep(0.02)
  return found


def waiting_program(run: PlannedRun) -> int:
  """The process id of the run's WAITS, once it is there."""
  path = run.folder / "there"
  return int(until(lambda: path.exists() and path.read_text()))


def is_alive(pid: int) -> bool:
  """Whether there is such a process, and not only its exit code."""
  try:
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
  except FileNotFoundError:
    return False
