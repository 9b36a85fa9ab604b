"""Golden renders: each common task type and those of the demo in each format, as text that a person can review.

The records are made by hand (golden_records.yaml) and go the way of real ones: through a reader, the mapping and the
renderer. The texts lie in golden/TYPE.txt. After a change of wordings or of the renderer write them anew and read what
git shows:

    python -m tests.data.golden_renders --write
"""

import contextlib
import json
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator

import yaml

from flan_jax.data import formats, rendering, specs

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE / "golden"
RECORDS = yaml.safe_load((HERE / "golden_records.yaml").read_text(encoding="utf-8"))
SHOTS = 2
# Wordings of a format that show parts which the others lack are all rendered; of the others one is enough.
EVERY_WORDING = {("natural_instruction", "few_shot")}
# What specs of a type always say besides their fields.
DECLARED = {"prompted": {"show_options": "in_question"}}


def type_names() -> list[str]:
  """The types that have golden renders: those of the records and their inverses."""
  inverses = (specs.get_type(name).inverted for name in RECORDS)
  return sorted({*RECORDS, *filter(None, inverses)})


@contextlib.contextmanager
def collection(root: pathlib.Path) -> Iterator[pathlib.Path]:
  """A collection 'golden' under `root`, a task a type, known to flan_jax inside the block; gives its data folder."""
  folder, data_dir = root / "collections" / "golden", root / "data"
  folder.mkdir(parents=True)
  data_dir.mkdir()
  tasks = []
  for name, records in RECORDS.items():
    if isinstance(records, dict):
      (data_dir / f"{name}.json").write_text(json.dumps(records), encoding="utf-8")
      reader, fields = {"natural_instructions": f"{name}.json"}, {"answer": "output"}
    else:
      (data_dir / f"{name}.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
      reader, fields = {"jsonl": f"{name}.jsonl"}, {}
    task = {"name": name, "reader": reader, "type": name, "fields": fields, "cluster": name, "held_out_percent": 0}
    tasks.append(task | DECLARED.get(name, {}))
  (folder / "tasks.yaml").write_text(yaml.safe_dump(tasks), encoding="utf-8")
  before = os.environ.get("FLAN_JAX_COLLECTIONS")
  os.environ["FLAN_JAX_COLLECTIONS"] = str(folder.parent)
  try:
    yield data_dir
  finally:
    if before is None:
      del os.environ["FLAN_JAX_COLLECTIONS"]
    else:
      os.environ["FLAN_JAX_COLLECTIONS"] = before


def renderer(name: str, data_dir: pathlib.Path, options: str) -> rendering.Renderer:
  """The renderer of a type's task, or of the inverted task of the type that it inverts."""
  source = next((base for base in RECORDS if specs.get_type(base).inverted == name), None)
  task = f"golden.{name}" if source is None else f"golden.{source}_inverted"
  return rendering.Renderer(task, data_dir, shots=(SHOTS, SHOTS), options=options)


def text(name: str, data_dir: pathlib.Path) -> str:
  """What golden/NAME.txt holds."""
  parts = []
  for options in ("never", "always"):
    made_by = renderer(name, data_dir, options)
    can_list = "choices" in made_by.source[0].fields and made_by.spec.show_options == "drawn"
    if options == "always" and not can_list:
      continue
    for form in forms(made_by.type) if options == "never" else made_by.formats:
      for made in _renders(made_by, form, every=(name, form) in EVERY_WORDING):
        listed = ", options listed" if options == "always" else ""
        parts.append(_shown(f"{form}{listed}", made))
  query = made_by.source[0]
  if made_by.can_swap(query):
    parts.append(_shown("few_shot, swapped", made_by.render(query, format="few_shot", swapped=True)))
  return "\n".join(parts)


def forms(kind: specs.TaskType) -> list[str]:
  """The formats that a type can be asked in, those included that nobody trains on."""
  return [form for form in formats.FORMATS if form in kind.wordings]


def _shown(what: str, made: rendering.Rendered) -> str:
  head = f"======== {what} ({made.wording}) ========"
  return f"{head}\n{made.inputs}\n-------- target --------\n{made.targets}\n"


def _renders(made_by: rendering.Renderer, form: str, every: bool) -> Iterator[rendering.Rendered]:
  """The query's render; with `every`, one in each wording, in their order."""
  if not every:
    yield made_by.render(made_by.source[0], format=form)
    return
  wordings = made_by.type.wordings[form]
  found: dict[str, rendering.Rendered] = {}
  # n (ln n + c) draws meet all of n wordings; 40 n is plenty.
  for variant in range(40 * len(wordings)):
    made = made_by.render(made_by.source[0], variant, format=form)
    found.setdefault(made.wording, made)
  yield from (found[wording.id] for wording in wordings)


def write() -> None:
  """Writes every golden file and removes those of types that are no more."""
  GOLDEN.mkdir(exist_ok=True)
  for path in GOLDEN.glob("*.txt"):
    path.unlink()
  with tempfile.TemporaryDirectory() as root, collection(pathlib.Path(root)) as data_dir:
    for name in type_names():
      (GOLDEN / f"{name}.txt").write_text(text(name, data_dir), encoding="utf-8")


if __name__ == "__main__":
  if sys.argv[1:] != ["--write"]:
    sys.exit("python -m tests.data.golden_renders --write")
  write()
  print(f"{len(type_names())} files in {GOLDEN}")
