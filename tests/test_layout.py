"""The rooms' imports point one way, as docs/design.md draws them."""

import ast
import pathlib
import subprocess
import sys

import pytest

import flan_jax

PACKAGE = pathlib.Path(flan_jax.__file__).parent
# Room -> the rooms that it may import from. Modules at the top of the package (errors, draws, ...) are open to all.
MAY_IMPORT = {
  "collections": set(),
  "data": {"collections"},
  "pages": set(),
  "models": set(),
  "decoding": {"models"},
  "interop": {"models", "data"},
  "evaluation": {"decoding", "models", "data", "interop", "pages"},
  "training": {"evaluation", "models", "data", "interop"},
  "sweeps": {"training", "evaluation", "models", "data", "interop", "pages"},
  "cli": {"sweeps", "training", "evaluation", "decoding", "models", "data", "interop"},
}


def imported_rooms(path: pathlib.Path) -> set[str]:
  names = []
  for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
    if isinstance(node, ast.Import):
      names += [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
      names += [f"{node.module}.{alias.name}" for alias in node.names]
  parts = [name.split(".") for name in names if name.startswith("flan_jax.")]
  return {part[1] for part in parts if (PACKAGE / part[1]).is_dir()}


def test_every_room_is_in_the_table():
  rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
  assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_one_way(room):
  for path in (PACKAGE / room).rglob("*.py"):
    assert imported_rooms(path) - {room} <= MAY_IMPORT[room], path


@pytest.mark.parametrize(
  ("modules", "heavy"),
  [
    ("flan_jax.cli.main", ("jax", "tensorflow", "matplotlib", "orbax", "numpy")),
    ("flan_jax.data.specs, flan_jax.data.mixtures", ("jax", "tensorflow", "seqio")),
    ("flan_jax.data.prepare, flan_jax.data.stream, flan_jax.data.rendering", ("jax", "tensorflow", "seqio")),
    ("flan_jax.sweeps.report.writing", ("jax", "orbax", "tensorflow", "seqio")),
    (
      "flan_jax.training.train, flan_jax.evaluation.held_out.evaluate",
      ("tensorflow", "seqio", "matplotlib", "transformers"),
    ),
  ],
)
def test_heavy_libraries_are_imported_where_used(modules, heavy):
  code = f"import sys, {modules}; print(*sorted(set({heavy!r}) & set(sys.modules)))"
  done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
  assert done.stdout.strip() == ""
