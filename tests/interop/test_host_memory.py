"""Loading takes the model's size in memory and about two tensors more, not two models."""

import dataclasses
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from flan_jax.interop import checkpoints as layout
from flan_jax.interop.huggingface_writing import write_hugging_face
from flan_jax.interop.t5x_export import write_t5x
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model

# 94 M parameters: 376 MB, of which the embedding is the largest array, 66 MB.
CONFIG = T5Config(16128, 1024, 16, 64, 2048, 5, 4, mlp_activations=("relu",), logits_via_embedding=True)
SLACK = 48e6  # what compiles, and pages that the allocator keeps

MEASURE = """
import sys, threading, time
import jax
from flan_jax.interop.loading import open_source

def anonymous():
  with open("/proc/self/status") as status:
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))

jax.device_put(1.0).block_until_ready()
source = open_source(sys.argv[1])
before, peak, done = anonymous(), 0, threading.Event()

def watch():
  global peak
  while not done.is_set():
    peak = max(peak, anonymous())
    time.sleep(0.001)

watcher = threading.Thread(target=watch)
watcher.start()
params = jax.block_until_ready(source.parameters())
done.set()
watcher.join()
print(peak - before, sum(array.nbytes for array in params.values()), max(array.nbytes for array in params.values()))
"""


class Noise:
  """Parameters of CONFIG, each made when it is read."""

  def shapes(self):
    return {name: shape.shape for name, shape in Model(CONFIG).shapes().items()}

  def read(self, name):
    return np.random.default_rng(0).standard_normal(self.shapes()[name], np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hf", "t5x", "own"])
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="anonymous memory is read from /proc")
def test_loading_holds_one_model_and_about_two_tensors(kind, tmp_path):
  if kind == "hf":
    write_hugging_face(tmp_path, CONFIG, Noise(), shard_bytes=100_000_000)
  elif kind == "own":
    params = {name: jnp.asarray(Noise().read(name)) for name in Noise().shapes()}
    record = {"step": 0, "model": dataclasses.asdict(CONFIG)}
    layout.write_step(tmp_path / layout.CHECKPOINTS / "0", {layout.PARAMS: params}, record)
  else:
    write_t5x(tmp_path, CONFIG, Noise(), layout="orbax")
  command = [sys.executable, "-c", MEASURE, str(tmp_path)]
  output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
  growth, model, largest = map(int, output.split())
  print(f"{kind}: model {model / 1e6:.0f} MB, largest {largest / 1e6:.0f} MB, growth {growth / 1e6:.0f} MB")
  assert model > 370e6
  assert growth < model + 2 * largest + SLACK
