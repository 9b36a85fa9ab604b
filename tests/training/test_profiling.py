"""Profiles: which steps, and that a run with one is the run without."""

import gzip
import json
import re

import jax
import jax.numpy as jnp
import pytest

from flan_jax.cli.main import run
from flan_jax.errors import UsageError
from flan_jax.training.profiling import Profiler, steps_of
from tests.training.launching import check_same_run
from tests.training.toy_run import STEPS


def test_steps_are_counted_from_where_this_start_begins():
  assert steps_of("3:5") == range(3, 6)
  assert steps_of("1:1", start=100) == range(101, 102)
  assert not steps_of(None)


@pytest.mark.parametrize("text", ["5", "5:3", "0:3", "a:b", "3:5:7", "-1:2"])
def test_what_is_no_pair_of_steps_is_refused(text):
  with pytest.raises(UsageError, match="must be FIRST:LAST"):
    steps_of(text)


@pytest.mark.parametrize("last", [4, 100])
def test_exactly_the_wanted_steps_are_in_the_trace(tmp_path, capsys, last):
  """Also where the run ends before the last of them."""
  double = jax.jit(lambda x: 2 * x)
  with Profiler(range(3, last + 1), tmp_path) as profiler:
    for step in range(1, 7):
      with profiler.around(step):
        result = double(jnp.float32(step))
      profiler.dispatched(step, result)
  (trace,) = tmp_path.glob("plugins/profile/*/*.trace.json.gz")
  events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
  marked = {int(event["args"]["step_num"]) for event in events if event.get("name") == "train"}
  assert marked == set(range(3, min(last, 6) + 1))
  assert f"tensorboard --logdir {tmp_path}" in capsys.readouterr().err


def test_without_steps_nothing_is_written(tmp_path):
  with Profiler(steps_of(None), tmp_path / "profile") as profiler, profiler.around(1):
    pass
  assert not (tmp_path / "profile").exists()


@pytest.mark.slow
def test_a_profiled_run_is_the_same_run(launch, whole, tmp_path):
  said = launch.finish(tmp_path, "--profile", f"3:{STEPS - 1}")
  assert re.search(r"profile: .*/profile\. Open it with", said)
  assert list((tmp_path / "profile").glob("plugins/profile/*/*.xplane.pb"))
  check_same_run(tmp_path, whole)


def test_the_option_is_gin(capsys):
  # The unknown name stops it before anything is trained.
  stopped = ["train", "t5_demo", "--mixture", "demo", "--steps", "1", "--gin.NO_SUCH.thing=1"]
  assert run([*stopped, "--profile"]) == 2
  assert "PROFILE = '3:5'" in capsys.readouterr().out
  assert run([*stopped, "--profile", "10:15"]) == 2
  assert "PROFILE = '10:15'" in capsys.readouterr().out


def test_steps_that_never_came_are_told(tmp_path, capsys):
  with Profiler(range(3, 6), tmp_path / "profile") as profiler, profiler.around(1):
    pass
  assert capsys.readouterr().err == "profile: none, as steps 3 to 5 of the run did not come\n"
  assert not (tmp_path / "profile").exists()


def test_a_model_is_not_taken_for_steps(capsys):
  assert run(["train", "--profile", "t5_demo", "--mixture", "demo", "--steps", "1"]) == 2
  assert capsys.readouterr().err == "flan-jax: --profile before MODEL needs its steps: --profile 3:5 t5_demo\n"
