"""A toy collection and its data folder: every reader but the generators, small enough to see whole."""

import dataclasses
import json
import pathlib

import pytest

from flan_jax.data import discovery
from tests.data import shop as shops

TYPES = r"""
- name: toy_choice
  fields: [question, label]
  optional: [rationale, choices]
  target: "{{ label }}"
  wordings:
    - "{{ question }}"
    - "Tell me: {{ question }}\nAnswer:"
    - "{% if rationale is defined %}Hint given. {% endif %}{{ question }} Say which."
  cot_wordings:
    - "{{ question }} Think first."
  few_shot:
    - {turn: "Q: {{ question }}\nA:"}
    - {head: "Solved ones first.", turn: "{{ question }} =>", join: "\n--\n"}
  few_shot_cot:
    - {turn: "Q: {{ question }}\nThoughts:"}
- name: toy_plain
  fields: [text, result]
  target: "{{ result }}"
  wordings: ["Copy {{ text }}"]
"""

TASKS = r"""
- name: capitals
  reader: {tsv: toy/capitals.tsv, columns: [asked, label, why]}
  origin: the toy shop
  type: toy_choice
  fields: {question: asked, rationale: why}
  cluster: knowledge
  held_out_percent: 20
- name: parity
  option_target: text
  reader: {jsonl: toy/parity.jsonl}
  type: toy_choice
  choices: [yes, no]
  cluster: arithmetic
  cap: 7
- name: "echo_{word}"
  for_each: {word: [a, b]}
  reader: {tsv: "toy/{word}.tsv", header: true}
  type: toy_plain
  fields: {result: "{word}"}
  constants: {text: "the {word}"}
  cluster: copying
"""

MIXTURES = r"""
- {name: toy, tasks: [toy.*], formats: {zero_shot: 3, few_shot: 1}, shots: [1, 3]}
- {name: toy_reasoned, tasks: [toy.capitals, toy.parity], clusters: [knowledge], formats: {cot: 1}}
- {name: toy_rest, tasks: [toy.*], without_clusters: [copying, arithmetic]}
"""


@dataclasses.dataclass(frozen=True)
class Toy:
  """Where the toy collection's files lie."""

  collection: pathlib.Path
  data_dir: pathlib.Path


@pytest.fixture(scope="session")
def toy_files(tmp_path_factory) -> Toy:
  root = tmp_path_factory.mktemp("toy_collections")
  collection = root / "toy"
  collection.mkdir()
  for name, text in (("types", TYPES), ("tasks", TASKS), ("mixtures", MIXTURES)):
    (collection / f"{name}.yaml").write_text(text, encoding="utf-8")
  data_dir = tmp_path_factory.mktemp("toy_data")
  (data_dir / "toy").mkdir()
  capitals = [f"Capital of land {i}?\tcity {i}\tLand {i} is ruled from city {i}." for i in range(60)]
  capitals[10] = capitals[20]  # a copy: the same content under another id
  (data_dir / "toy" / "capitals.tsv").write_text("\n".join(capitals) + "\n", encoding="utf-8")
  parity = [{"question": f"Is {i} even?", "label": "no" if i % 2 else "yes"} for i in range(40)]
  (data_dir / "toy" / "parity.jsonl").write_text("\n".join(map(json.dumps, parity)), encoding="utf-8")
  for word in "ab":
    (data_dir / "toy" / f"{word}.tsv").write_text(f"{word}\tmore\nx{word}\t1\ny{word}\t2\n", encoding="utf-8")
  return Toy(collection, data_dir)


@pytest.fixture
def toy(toy_files, monkeypatch) -> Toy:
  """The toy collection among the others for the length of a test."""
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(toy_files.collection.parent))
  return toy_files


@pytest.fixture(scope="session")
def shop_files(tmp_path_factory) -> pathlib.Path:
  root = tmp_path_factory.mktemp("shops")
  shops.write(root)
  return root


@pytest.fixture
def shop(shop_files, monkeypatch) -> pathlib.Path:
  """The collections and mixtures of `shop` among the others for the length of a test."""
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(shop_files))
  monkeypatch.setitem(discovery.DISCOVERIES, "shop_files", shops.shop_files)
  return shop_files
