"""What the recipes of Flan-T5 resolve to, as committed text: `python -m tests.golden_configs --write` makes it anew.

A file a size: the resolved config on a data-parallel mesh; what each other strategy changes of it; for some devices
the mesh of each, with the remat policy and microbatches that make it fit; and what `--sharding auto` chooses there.
"""

import pathlib
import sys
from collections.abc import Mapping

from flan_jax import configuration
from flan_jax.errors import UsageError
from flan_jax.training import accelerators, automatic
from flan_jax.training.automatic import Devices
from flan_jax.training.train import Training

FOLDER = pathlib.Path(__file__).parent / "golden_configs"
SIZES = ("small", "base", "large", "xl", "xxl")
STRATEGIES = ("data_parallel", "fsdp", "tensor", "two_d", "fsdp_tensor")
# By the names that their makers sell them under: a TPU v3-8 is 4 chips of two cores, a v4-32 16 chips of one device.
DEVICES = {
  "8 x A100-80GB": ("NVIDIA A100-SXM4-80GB", 8),
  "64 x H100": ("NVIDIA H100 80GB HBM3", 64),
  "TPU v3-8": ("TPU v3", 8),
  "TPU v4-32": ("TPU v4", 16),
  "TPU v5e-64": ("TPU v5 lite", 64),
}


def resolved(size: str, sharding: str) -> Training:
  """A recipe's settings on a mesh."""
  options = {"model_dir": "MODEL_DIR", "initial_checkpoint": "LM_ADAPTED"}
  files = [f"gin_configs/runs/flan_t5_{size}.gin"]
  configuration.parse(configuration.lines(gin_files=files, sharding=sharding, options=options))
  return configuration.build()


def golden(size: str) -> str:
  """The text of a size."""
  base = configuration.gin_text(resolved(size, "data_parallel"))
  parts = [f"# Flan-T5 {size} on a data-parallel mesh", base]
  for sharding in STRATEGIES[1:]:
    changed = [each for each in _lines(size, sharding) if each not in base.splitlines()]
    parts += [f"# --sharding {sharding}", *changed, ""]
  for name, (kind, count) in DEVICES.items():
    devices = Devices(kind, count, accelerators.accelerator(kind).memory)
    parts += [f"# {name}: {count} devices of {devices.memory / 1e9:.0f} GB"]
    parts += [f"#   {sharding}: {_estimated(size, sharding, devices)}" for sharding in STRATEGIES]
    parts += [f"#   auto: {_chosen(size, devices)}", ""]
  return "\n".join(parts)


def _lines(size: str, sharding: str) -> list[str]:
  return configuration.gin_text(resolved(size, sharding)).splitlines()


def _estimated(size: str, sharding: str, devices: Devices) -> str:
  training = resolved(size, sharding)
  mesh = " x ".join(f"{axis} {size}" for axis, size in training.partitioning.sizes(devices.count).items())
  choice = automatic.on_its_mesh(training, devices)
  if choice is None:
    return f"{mesh} does not fit"
  run = choice.training
  return f"{mesh}, remat {run.model.remat_policy}, accumulation {run.accumulation}: {choice.estimate}"


def _chosen(size: str, devices: Devices) -> str:
  try:
    choice = automatic.choose(resolved(size, "auto"), devices)
  except UsageError as error:
    return str(error)
  return f"{', '.join(choice.lines())}; {choice.estimate}"


def written_or_told(texts: Mapping[pathlib.Path, str]) -> None:
  """Writes files with --write; otherwise says which are not what they would be."""
  changed = []
  for path, text in texts.items():
    if not path.exists() or path.read_text(encoding="utf-8") != text:
      changed.append(path.name)
      if "--write" in sys.argv:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
  print("changed:", ", ".join(changed) or "nothing")


if __name__ == "__main__":
  written_or_told({FOLDER / f"flan_t5_{size}.gin": golden(size) for size in SIZES})
