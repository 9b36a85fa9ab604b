"""A run that has gone astray goes back to a checkpoint and on with later data, or stops and says why."""

import json
import re

import numpy as np
import pytest

from flan_jax.cli import row_view
from flan_jax.cli.main import run
from flan_jax.errors import FlanJaxError
from flan_jax.interop import checkpoints as layout
from flan_jax.training import run as running
from flan_jax.training.checkpoints import Saving
from flan_jax.training.guard import Guard
from flan_jax.training.trainer import Trainer
from tests.training.toy_run import toy_run

STEPS, PERIOD = 14, 3
POISONED = range(7, 11)  # batches, counted as they are placed


class Poisoned(Trainer):
  """A trainer some of whose batches have losses that are no numbers; it remembers what it placed."""

  placed = []  # noqa: RUF012 (set anew by each run)
  poisoned = range(0)

  def place(self, batch, *wishes):
    Poisoned.placed.append(batch)
    weight = np.float32(np.nan if len(Poisoned.placed) in Poisoned.poisoned else 1)
    return super().place({**batch, "decoder_loss_weights": batch["decoder_loss_weights"] * weight}, *wishes)


@pytest.fixture
def poisoned_run(store, tmp_path, monkeypatch, one_device):
  """A function that trains with these batches poisoned."""
  monkeypatch.setattr(running, "Trainer", Poisoned)

  def trained(poisoned, **guard):
    monkeypatch.setattr(Poisoned, "placed", [])
    monkeypatch.setattr(Poisoned, "poisoned", poisoned)
    settings = {"saving": Saving(period=PERIOD), "guard": Guard(in_a_row=3, **guard)}
    return toy_run(tmp_path, store, STEPS, **settings).run()

  return trained


def test_it_goes_back_and_on_with_later_data(poisoned_run, store, tmp_path, capfd):
  """Steps 7, 8, 9 are skipped, which is heard two steps later: checkpoint 9 is amid them, so step 7 comes after 6
  again, with the twelfth batch."""
  assert poisoned_run(POISONED).step == STEPS
  assert "3 steps in a row from step 7 on were skipped: back to checkpoint 6" in capfd.readouterr().err
  record = layout.read_record(layout.step_folder(tmp_path))
  assert record["step"] == STEPS
  assert record["guard"]["skipped"] == 0  # of the steps that led here
  assert [jump["step"] for jump in record["jumps"]] == [6]
  lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()]
  assert [line["step"] for line in lines if "loss" in line] == list(range(1, STEPS + 1))
  assert [line for line in lines if "went_back_from" in line] == [{"step": 6, "went_back_from": 11}]
  assert len(Poisoned.placed) == 11 + STEPS - 6
  for step, placed in ((6, 5), (7, 11), (STEPS, -1)):
    shown = row_view.content(tmp_path, step, 2)["arrays"]["decoder_target_tokens"]
    assert shown == Poisoned.placed[placed]["decoder_target_tokens"][2].tolist()
  # A resumed run keeps its course.
  toy_run(tmp_path, store, STEPS + 2, guard=Guard(in_a_row=3)).run()
  assert [jump["step"] for jump in layout.read_record(layout.step_folder(tmp_path))["jumps"]] == [6]
  row_view.content(tmp_path, STEPS + 2, 0)


@pytest.mark.slow
def test_it_stops_after_having_gone_back_in_vain(poisoned_run, capfd):
  with pytest.raises(FlanJaxError, match="inspect --batch"):
    poisoned_run(range(7, 1000), rewinds=2)
  # As nothing since checkpoint 6 was accepted twice, its parameters may be what is wrong.
  assert re.findall(r"back to checkpoint (\d+)", capfd.readouterr().err) == ["6", "3"]


def test_it_stops_where_that_is_wished_and_keeps_the_batches(poisoned_run, tmp_path, capsys):
  with pytest.raises(FlanJaxError, match=r"3 steps in a row from step 7 on .* inspect --batch .*/skipped/10-0.npz"):
    poisoned_run(POISONED, then="stop")
  files = sorted((tmp_path / "skipped").iterdir())
  assert [file.name for file in files] == ["10-0.npz", "7-0.npz", "8-0.npz", "9-0.npz"]
  capsys.readouterr()
  assert run(["inspect", "--batch", str(files[1]), "--row", "2", "--json"]) == 0
  (row,) = json.loads(capsys.readouterr().out)["rows"]
  expected = Poisoned.placed[6]
  assert row["tokens"] == np.count_nonzero(expected["encoder_segment_ids"][2]) + np.count_nonzero(
    expected["decoder_segment_ids"][2]
  )
  assert run(["inspect", "--batch", str(files[1])]) == 0
  said = capsys.readouterr().out
  assert "Step 7 was skipped" in said
  assert row["segments"][0]["targets"][:20] in said
  assert run(["inspect", "--batch", str(files[1]), "--row", "99"]) == 2
