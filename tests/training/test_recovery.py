"""Recovery: neither damage to a checkpoint nor a kill at any moment of a save costs more than the steps after the
newest whole one."""

import contextlib
import errno
import os
import pathlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from flan_jax.errors import FlanJaxError
from flan_jax.interop import checkpoints as layout
from flan_jax.interop.damage import write_file_sums
from flan_jax.training import recovery, resuming
from flan_jax.training.checkpoints import Checkpoints, Saving
from tests.interop.saved import RECORD, check_same, files_of, flip, save, state, trainer
from tests.training.launching import KILLED, ROOT, randomly

# Orbax leaves the futures of a failed read behind.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module", params=[1, pytest.param(8, marks=pytest.mark.slow)])
def devices(request) -> int:
  return request.param


@pytest.fixture(scope="module")
def _saved_once(devices, tmp_path_factory) -> pathlib.Path:
  folder = tmp_path_factory.mktemp("saved")
  save(folder, (0, 5, 10), devices=devices)
  return folder


@pytest.fixture
def saved(_saved_once, tmp_path) -> pathlib.Path:
  """A MODEL_DIR with steps 0, 5 and 10."""
  return shutil.copytree(_saved_once, tmp_path, dirs_exist_ok=True)


# Orbax's own marks: when it began and ended, and that it has ended.
_UNREAD = ("_CHECKPOINT_METADATA", "commit_success.txt")


def _check_goes_on_from(model_dir: pathlib.Path, step: int, devices: int = 1) -> None:
  with Checkpoints(model_dir, RECORD, Saving()) as checkpoints:
    found, restored, position = checkpoints.restore_newest(trainer(devices).abstract())
  assert (found, position) == (step, {"window": step, "row": 3})
  check_same(restored, state(step))


@pytest.mark.parametrize("tried", [3, pytest.param(None, marks=pytest.mark.slow)], ids=["some", "all"])
def test_a_flipped_bit_in_any_file_costs_one_step(tried, saved, devices, capfd):
  """Of any single file of the newest step it is found; and, file after file of some or all, the run goes on from the
  step before, with its values, and says which file it was. What Orbax wrote for itself may change."""
  draw = randomly(f"any file, {devices}")
  folder = saved / "checkpoints" / "10"
  aside = folder.parent / "damaged-10"
  files = files_of(folder)
  assert len(files) > 20
  going_on = draw.sample(files, tried or len(files))
  for file in files:
    content, bit = file.read_bytes(), draw.randrange(file.stat().st_size * 8)
    flip(file, bit)
    named = file.relative_to(folder)
    gone = named.as_posix() not in _UNREAD
    if file not in going_on:
      assert any(f"file {named} " in fault for fault in layout.faults(folder)) == gone, f"bit {bit}"
      file.write_bytes(content)
      continue
    _check_goes_on_from(saved, 5 if gone else 10, devices)
    said = capfd.readouterr().err
    assert (f"checkpoint 10 is damaged (file {named} " in said) == gone, f"bit {bit}: {said}"
    assert (f"moved to {aside}; going on from step 5" in said) == gone
    assert aside.exists() == gone
    if gone:
      aside.rename(folder)
    file.write_bytes(content)
  _check_goes_on_from(saved, 10, devices)


@pytest.mark.parametrize("devices", [1, pytest.param(8, marks=pytest.mark.slow)], indirect=True)
def test_damage_in_several_goes_back_several_steps(saved, devices, capfd):
  """And the run saves those steps again, beside the damaged ones."""
  for step in (5, 10):
    flip(files_of(saved / "checkpoints" / str(step) / "params")[0], 3)
  _check_goes_on_from(saved, 0, devices)
  assert capfd.readouterr().err.count("going on from step 0") == 2
  save(saved, (5, 10), devices=devices)
  assert {path.name for path in (saved / "checkpoints").iterdir()} == {"0", "5", "10", "damaged-5", "damaged-10"}
  flip(files_of(saved / "checkpoints" / "10" / "params")[0], 3)
  _check_goes_on_from(saved, 5, devices)
  assert (saved / "checkpoints" / "damaged-10.2").exists()


def test_a_name_that_is_taken_is_not_taken_again(tmp_path, capfd):
  """Where somebody has removed the first of two damaged ones."""
  for name in ("10", "damaged-10.2/kept"):
    (tmp_path / "checkpoints" / name).mkdir(parents=True)
  for expected in ("damaged-10", "damaged-10.3"):
    recovery.set_aside(tmp_path, {10: ["gone"]}, 5)
    assert f"moved to {tmp_path}/checkpoints/{expected};" in capfd.readouterr().err
    (tmp_path / "checkpoints" / "10").mkdir()
  assert (tmp_path / "checkpoints" / "damaged-10.2" / "kept").exists()


def test_files_that_were_compared_before_are_not_read_again(saved, devices, monkeypatch):
  compared = []
  faults = layout.faults
  monkeypatch.setattr(layout, "faults", lambda folder, *items: compared.append(folder.name) or faults(folder, *items))
  whole = resuming.set_damaged_aside(saved)
  with Checkpoints(saved, RECORD, Saving()) as checkpoints:
    assert checkpoints.restore_newest(trainer(devices).abstract(), whole)[0] == 10
  assert compared == ["10"]


def test_arrays_that_are_not_what_was_saved_cost_one_step(saved, devices, capfd):
  """Although all files are as they were written: an array came to the devices otherwise."""
  folder = saved / "checkpoints" / "10"
  file = max((folder / "params").rglob("d/*"), key=lambda path: path.stat().st_size)
  flip(file, file.stat().st_size * 4)
  write_file_sums(folder)
  _check_goes_on_from(saved, 5, devices)
  assert "array params/" in capfd.readouterr().err


def test_where_none_is_whole_nothing_is_moved(tmp_path):
  save(tmp_path, (0, 5))
  for step in (0, 5):
    flip(files_of(tmp_path / "checkpoints" / str(step) / "record")[0], 3)
  with pytest.raises(FlanJaxError, match=r"no checkpoint in .* is whole \(step 5: file record/.*; step 0: "):
    _check_goes_on_from(tmp_path, 0)
  assert layout.saved_steps(tmp_path) == [0, 5]


def test_a_disk_that_refuses_a_checkpoint_is_said_and_costs_no_other(tmp_path, monkeypatch):
  def full(*_) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")

  save(tmp_path, (0, 5))
  with monkeypatch.context() as patch:
    patch.setattr("flan_jax.training.checkpoints.write_file_sums", full)
    with pytest.raises(FlanJaxError, match=r"checkpoint 10 could not be written to .*No space left on device"):
      save(tmp_path, (10,))
  _check_goes_on_from(tmp_path, 5)
  save(tmp_path, (10,))
  _check_goes_on_from(tmp_path, 10)


def _moments_of(work, watched: pathlib.Path, copies: pathlib.Path) -> Iterator[pathlib.Path]:
  """Runs `work` and gives a copy of the folder at each of its file events, that is at each opening, making, renaming or
  removing of a file or a folder in it by Python, and at moments between them, when TensorStore writes."""
  seen: dict[str, pathlib.Path] = {}
  lock, own, over = threading.Lock(), threading.local(), threading.Event()

  def look() -> None:
    if over.is_set() or getattr(own, "looking", False):
      return
    own.looking = True
    with lock:
      copied = copies / str(len(seen))
      shutil.rmtree(copied, ignore_errors=True)
      with contextlib.suppress(shutil.Error, FileNotFoundError):  # TensorStore renames under our hands
        shutil.copytree(watched, copied, copy_function=_copied)
      seen.setdefault(_listing(copied), copied)
    own.looking = False

  def heard(event: str, arguments: tuple) -> None:
    if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir") and str(watched) in str(arguments[0]):
      look()

  def keep_looking() -> None:
    while not over.wait(0.02):
      look()

  sys.addaudithook(heard)  # for good; but not beyond `over`
  between = threading.Thread(target=keep_looking)
  between.start()
  work()
  look()
  over.set()
  between.join()
  yield from seen.values()


def _copied(file: str, copy: str) -> None:
  """Files of whole steps never change, so that a second name is a copy."""
  (shutil.copy2 if "orbax-checkpoint-tmp" in file else os.link)(file, copy)


def _listing(folder: pathlib.Path) -> str:
  return str(
    sorted((str(path.relative_to(folder)), path.is_file() and path.stat().st_size) for path in folder.rglob("*"))
  )


def test_a_kill_at_any_moment_of_a_save_costs_nothing(tmp_path):
  """What is on the disk at each file event of a save that also deletes a step: the run goes on from the new step or
  from the one before, and what was half written is taken away."""
  saving = Saving(keep=1)
  save(tmp_path / "run", (0, 5), saving)
  moments = list(_moments_of(lambda: save(tmp_path / "run", (10,), saving), tmp_path / "run", tmp_path / "moments"))
  assert len(moments) > 40
  kinds: dict[tuple[int, bool], list[pathlib.Path]] = {}
  for moment in moments:
    steps = layout.saved_steps(moment)
    newest = 10 if 10 in steps else 5
    kinds.setdefault((newest, (moment / "checkpoints" / "5").exists()), []).append(moment)
    assert layout.faults(moment / "checkpoints" / str(newest)) == []
  assert set(kinds) == {(5, True), (10, True), (10, False)}
  for (newest, _), alike in kinds.items():
    moment = alike[len(alike) // 2]
    _check_goes_on_from(moment, newest)
    assert all(path.name.isdecimal() for path in (moment / "checkpoints").iterdir())


_KILLED_WHILE_SAVING = """
import os, pathlib, signal, sys
from tests.interop.saved import save
folder, kill_at, events = pathlib.Path(sys.argv[1]), int(sys.argv[2]), 0
save(folder, (0, 5))

def heard(event, arguments):
  global events
  if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir") and str(folder) in str(arguments[0]):
    events += 1
    if events == kill_at:
      os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(heard)
save(folder, (10,))
"""


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_a_process_killed_in_the_middle_of_a_save_goes_on(part, launch, tmp_path):
  """For good, at a file event drawn from each quarter of them."""
  kill_at = randomly(f"kill in part {part}").randrange(1 + 12 * part, 13 + 12 * part)
  command = [sys.executable, "-c", _KILLED_WHILE_SAVING, str(tmp_path), str(kill_at)]
  ended = subprocess.run(command, cwd=ROOT, env=launch.environment, capture_output=True, text=True, check=False)
  assert ended.returncode == KILLED, f"at event {kill_at}: {ended.stderr}"
  _check_goes_on_from(tmp_path, max(layout.saved_steps(tmp_path)))
  assert 5 in layout.saved_steps(tmp_path)
  save(tmp_path, (15,))
  _check_goes_on_from(tmp_path, 15)
