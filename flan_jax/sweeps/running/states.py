"""How far a run is, by its files alone: whoever started it, on whatever machine, alive or not."""

import dataclasses
import json
import os
import pathlib
import socket
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from flan_jax import locks, progress
from flan_jax.sweeps.plan import LOCK, LOG, STATE, Plan, PlannedRun
from flan_jax.sweeps.results.headline import headline
from flan_jax.sweeps.running import execution

# waiting: nobody has begun it.
# running: a process is at it.
# stopped: nobody is at it any more (killed, or asked to stop): the same command goes on with it.
# failed: a command ended with an error, which its last lines tell; --retry runs it again.
# finished: all commands ended well.
STATES = ("waiting", "running", "stopped", "failed", "finished")
_METRICS = "metrics.jsonl"
_TAIL_BYTES = 2**14
_LAST_LINES = 8
_RATES = 5  # lines of metrics
# Of a run on another machine, whose lock may not be seen from here: some heartbeats, and a minute between two clocks.
_SILENT_SECONDS = 3 * execution.HEARTBEAT_SECONDS + 60


@dataclasses.dataclass(frozen=True)
class Status:
  """How far a run is.

  Attributes:
    name: of the run.
    state: of STATES.
    stage: what is done, or was last: 'train', 'evaluate NAME'; '' before the first.
    step: of training, by its newest metrics; None before there are any.
    steps: of training in all.
    loss: of the newest metrics.
    score: what `Sweep.score` names, a share of 1; None before it is measured.
    seconds: that its commands have taken so far.
    seconds_left: of one that runs; None where nobody can tell yet.
    last_lines: of its log, where it failed or was stopped.
  """

  name: str
  state: str
  stage: str
  step: int | None
  steps: int
  loss: float | None
  score: float | None
  seconds: float
  seconds_left: float | None
  last_lines: Sequence[str]


def status(run: PlannedRun, score: str, typical: Mapping[str, float] | None = None) -> Status:
  """How far a run is.

  Args:
    score: see `Sweep.score`.
    typical: seconds of stages, see `typical_seconds`; without, time that is left is that of training alone.
  """
  kept = _kept(run)
  state = _state(run.folder, kept)
  stages = kept.get("stages", {})
  measured = headline(run.folder, score, run.fresh)
  metrics = _newest_metrics(run.folder) if kept else []
  newest = metrics[-1] if metrics else {}
  return Status(
    name=run.name,
    state=state,
    stage=kept.get("stage") or "",
    step=newest.get("step"),
    steps=run.training.train_steps,
    loss=next((line["loss"] for line in reversed(metrics) if "loss" in line), None),
    score=measured and measured.value,
    seconds=sum(each["seconds"] for each in stages.values()),
    seconds_left=_seconds_left(run, kept, metrics, typical or {}) if state == "running" else None,
    last_lines=last_lines(run.folder / LOG) if state in ("failed", "stopped") else (),
  )


def state_of(run: PlannedRun) -> str:
  """Only in which state a run is."""
  return _state(run.folder, _kept(run))


def statuses(plan: Plan) -> list[Status]:
  """How far all runs of a sweep are, in their order."""
  typical = typical_seconds(plan.runs)
  return [status(run, plan.sweep.score, typical) for run in plan.runs]


def typical_seconds(runs: Sequence[PlannedRun]) -> dict[str, float]:
  """Stage to the mean of what it took in the runs of which it is done."""
  found = defaultdict(list)
  for run in runs:
    for stage, of_stage in execution.read_state(run.folder).get("stages", {}).items():
      if of_stage.get("exit_code") == 0:
        found[stage].append(of_stage["seconds"])
  return {stage: statistics.fmean(seconds) for stage, seconds in found.items()}


def last_lines(log: pathlib.Path, count: int = _LAST_LINES) -> tuple[str, ...]:
  """The last lines of a file that are not empty."""
  lines = _tail(log).decode(errors="replace").splitlines()
  return tuple(line.rstrip() for line in lines if line.strip())[-count:]


def _kept(run: PlannedRun) -> dict[str, Any]:
  """What its state.json says, if it is of these settings."""
  kept = execution.read_state(run.folder)
  return kept if kept.get("config") == run.config else {}


def _state(folder: pathlib.Path, kept: Mapping[str, Any]) -> str:
  if locks.is_held(folder / LOCK):
    return "running"
  if not kept:
    return "waiting"
  if kept["state"] != "running":
    return kept["state"]
  return "running" if _lives_elsewhere(folder, kept) else "stopped"


def _lives_elsewhere(folder: pathlib.Path, kept: Mapping[str, Any]) -> bool:
  if kept["host"] == socket.gethostname():
    return False
  try:  # when the file was written is said by the file system's clock, which all machines see
    return abs(time.time() - (folder / STATE).stat().st_mtime) < _SILENT_SECONDS
  except OSError:
    return False


def _newest_metrics(folder: pathlib.Path) -> list[dict[str, Any]]:
  """The last lines of training that can be read; one that is just being written cannot."""
  found = []
  for line in _tail(folder / _METRICS).splitlines():
    try:
      content = json.loads(line)
    except ValueError:
      continue
    if isinstance(content, dict) and "went_back_from" not in content and "step" in content:
      found.append(content)
  return found


def _seconds_left(
  run: PlannedRun, kept: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]], typical: Mapping[str, float]
) -> float | None:
  """Training at its newest rate, and then evaluations as long as in other runs, as far as any had them."""
  stages, stage = kept.get("stages", {}), kept.get("stage")
  left = 0.0
  if stage == execution.TRAIN:
    rates = [line["steps_per_s"] for line in metrics if line.get("steps_per_s")][-_RATES:]
    if not rates:
      return None
    left = (run.training.train_steps - metrics[-1]["step"]) / statistics.median(rates)
  elif stage not in typical:  # the first runs' first evaluations: what they say themselves
    return next(map(progress.told_seconds_left, last_lines(run.folder / LOG, 1)), None)
  todo = {name: seconds for name, seconds in typical.items() if name != execution.TRAIN}
  done = {name: each["seconds"] if each.get("exit_code") is None else todo.get(name) for name, each in stages.items()}
  return left + sum(max(seconds - (done.get(name) or 0.0), 0.0) for name, seconds in todo.items())


def _tail(path: pathlib.Path) -> bytes:
  try:
    with path.open("rb") as file:
      file.seek(0, os.SEEK_END)
      start = max(0, file.tell() - _TAIL_BYTES)
      file.seek(start)
      content = file.read()
  except OSError:
    return b""
  return content[content.find(b"\n") + 1 :] if start else content
