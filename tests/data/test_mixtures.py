"""Mixtures by name: patterns, clusters, formats; and what is not installed is told."""

import os
import re
import subprocess
import sys

import pytest

from flan_jax import errors
from flan_jax.data import formats, mixtures, sources
from flan_jax.data.preparation import Preparation
from flan_jax.data.vocabularies import load_vocabulary


def test_patterns_and_clusters_choose_tasks(toy):
  part = mixtures.Part(
    "toy",
    ("toy.capitals", "toy.parity", "toy.echo_a", "toy.echo_b"),
    formats=(("zero_shot", 3), ("few_shot", 1)),
    shots=(1, 3),
    patterns=("toy.*",),
  )
  assert mixtures.get_mixture("toy") == mixtures.MixtureSpec("toy", (part,))
  assert mixtures.get_mixture("toy_reasoned").tasks == ("toy.capitals",)
  (rest,) = mixtures.get_mixture("toy_rest").parts
  assert rest.tasks == ("toy.capitals",)
  assert (rest.formats, rest.shots) == (formats.DEFAULT_FORMATS, formats.DEFAULT_SHOTS)


def test_a_task_is_a_mixture_of_one(toy):
  assert mixtures.get_mixture("toy.parity").tasks == ("toy.parity",)
  assert "toy.parity" not in mixtures.mixture_names()


@pytest.mark.parametrize(("name", "near"), [("toi", "toy"), ("toy.partiy", "toy.parity")])
def test_an_unknown_mixture_is_told_the_nearest(toy, name, near):
  with pytest.raises(errors.UsageError, match=f"Nearest: {near}"):
    mixtures.get_mixture(name)


@pytest.mark.parametrize(
  ("entry", "told"),
  [
    ("{name: m, tasks: [bad.x*]}", r"no task of mixture m 'bad\.x\*'"),
    ("{name: m, tasks: [bad.*], clusters: [d]}", "its clusters leave no task"),
    ("{name: m, tasks: [bad.*], format: {cot: 1}}", "unknown key 'format'; nearest: formats"),
    ("{name: m, tasks: [bad.*], formats: {cto: 1}}", "no format 'cto'. Nearest: cot"),
  ],
)
def test_a_mistake_in_a_mixture_is_told(tmp_path, monkeypatch, entry, told):
  (tmp_path / "bad").mkdir()
  (tmp_path / "bad" / "tasks.yaml").write_text(
    "- {name: t, reader: {jsonl: t}, type: reasoned_question, cluster: c}", encoding="utf-8"
  )
  (tmp_path / "bad" / "mixtures.yaml").write_text(f"- {entry}", encoding="utf-8")
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(tmp_path))
  with pytest.raises(errors.FlanJaxError, match=told):
    mixtures.get_mixture("m")


def test_installed_skips_or_refuses_what_is_missing(toy, tmp_path):
  toy_mixture = mixtures.get_mixture("toy")
  assert mixtures.installed(toy_mixture, toy.data_dir) == (toy_mixture.tasks, ())
  (tmp_path / "toy").mkdir()
  (tmp_path / "toy" / "a.tsv").write_text("a\nx\n", encoding="utf-8")
  present, missing = mixtures.installed(toy_mixture, tmp_path, "skip")
  assert present == ("toy.echo_a",)
  assert missing[0] == sources.MissingFile("toy.capitals", "capitals.tsv", str(tmp_path / "toy"), "the toy shop")
  with pytest.raises(sources.MissingDataError, match=r"3 of the 4 tasks of toy lack their file: --missing=skip"):
    mixtures.installed(toy_mixture, tmp_path)
  with pytest.raises(sources.MissingDataError, match="4 of the 4"):
    mixtures.installed(toy_mixture, None, "skip")


def test_parts_choose_by_clusters_tags_names_and_related_clusters(shop):
  parts = {part.name: part for part in mixtures.get_mixture("breakfast").parts}
  assert parts["bread"].tasks == ("bakery.rye", "bakery.rye_inverted", "bakery.oat", "bakery.oat_inverted")
  assert parts["sweets"].tasks == ("bakery.bun", "bakery.pie")
  assert (parts["cot"].formats, parts["cot"].options) == ((("cot", 1), ("few_shot_cot", 1)), "always")
  assert mixtures.get_mixture("dark").tasks == ("bakery.rye",)
  assert mixtures.get_mixture("no_pie").tasks == ("bakery.rye", "bakery.oat", "bakery.bun")
  # bread and loaves are one group, to which drinks are related.
  assert mixtures.get_mixture("not_bread").tasks == ("bakery.bun", "bakery.pie")


def test_inverted_tasks_are_in_where_a_part_says_so_or_by_name(shop):
  assert not any(task.endswith("_inverted") for task in mixtures.get_mixture("everything").tasks)
  assert mixtures.get_mixture("bakery.rye_inverted").tasks == ("bakery.rye_inverted",)


def test_what_is_for_evaluation_only_is_never_trained_on(shop, tmp_path):
  assert "bakery.exam" not in mixtures.get_mixture("everything").tasks
  for name in ("exams", "bakery.exam"):
    mixture = mixtures.get_mixture(name)
    assert mixture.tasks == ("bakery.exam",)
    with pytest.raises(errors.UsageError, match=rf"{name} is for evaluation only: .* flan-jax eval"):
      mixtures.check_trainable(mixture)
    with pytest.raises(errors.UsageError, match="is for evaluation only"):
      Preparation(mixture=name, vocabulary=load_vocabulary("demo"), lengths={"inputs": 8, "targets": 8}).stores()
  mixtures.check_trainable(mixtures.get_mixture("everything"))


@pytest.mark.parametrize(
  ("entry", "told"),
  [
    ("tasks: [bakery.exam]", "bakery.exam is for evaluation only, never trained on"),
    (
      "parts: [{name: a, share: 1, tasks: [bakery.rye]}, {name: b, tasks: [bakery.oat]}]",
      "all of them a share or none",
    ),
    ("parts: [{name: a, tasks: [bakery.rye]}, {name: b, tasks: [bakery.*]}]", "'bakery.rye' is in two of its parts"),
    ("parts: [{name: a, tasks: [bakery.rye], shre: 2}]", "unknown key 'shre'; nearest: share"),
    ("{tasks: [bakery.rye], options: some}", "options is 'some', not one of drawn, always, never"),
    ("{tasks: [bakery.rye], inverted: 1}", "inverted is 1, not a number between 0 and 1"),
    ("{tasks: bakery.*}", "tasks is 'bakery.*', not a list of texts"),
    ("{tasks: [bakery.rye], clusters: bread}", "clusters is 'bread', not a list of texts"),
    ("{tasks: [bakery.rye], evaluation_only: no}", "evaluation_only is 'no', not true or false"),
    ("{parts: [bread]}", "parts is ['bread'], not a list of mappings"),
    ("{parts: []}", "parts is [], not a list of mappings"),
    ("parts: [{name: a, tasks: [bakery.rye], cap: 0}]", "mixture 'm': part 'a': cap is 0, not a whole number above 0"),
    *((f"{{tasks: [bakery.rye], share: {share}}}", "not a number above 0") for share in ("0", ".inf", ".nan", "a")),
    *((f"{{tasks: [bakery.rye], max_per_task: {n}}}", "not a whole number above 0") for n in ("0", "-5", "2.5", "a")),
    *(
      (f"{{tasks: [bakery.rye], shots: {shots}}}", "not two whole numbers, the fewest and the most")
      for shots in ("[5, 2]", "[2]", "3", "[a, b]", "[-1, 2]", "[1.5, 2]")
    ),
    *(
      (f"{{tasks: [bakery.rye], formats: {formats}}}", "not formats with weights from 0 to 1000")
      for formats in ("{zero_shot: -1, cot: 2}", "{cot: 0}", "{cot: .nan}", "{cot: 0.0001}", "{cot: a}", "[cot]", "{}")
    ),
    ("{tasks: [bakery.rye], formats: {bare: 1}}", "prompts in the format bare are never trained on"),
    ("tasks: [bakery.rye]}\n- {name: m, tasks: [bakery.oat]", "two mixtures are called 'm'"),
    ("{tasks: [backery.rye]}", "no task of mixture m 'backery.rye'. Nearest: bakery.rye"),
  ],
)
def test_a_mistake_in_a_part_is_told(shop, tmp_path, monkeypatch, entry, told):
  entry = entry[1:-1] if entry.startswith("{") else entry
  (tmp_path / "mixtures.yaml").write_text(f"- {{name: m, {entry}}}", encoding="utf-8")
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", f"{shop}:{tmp_path}")
  with pytest.raises(errors.FlanJaxError, match=re.escape(told)):
    mixtures.get_mixture("m")


@pytest.mark.parametrize(
  ("written", "whole"),
  [
    ("{zero_shot: 0.9, few_shot: 1.1}", (("zero_shot", 9), ("few_shot", 11))),
    ("{zero_shot: 0.5, few_shot: 0.5}", (("zero_shot", 1), ("few_shot", 1))),
    ("{zero_shot: 1.5, few_shot: 3, cot: 0}", (("zero_shot", 1), ("few_shot", 2))),
    ("{zero_shot: 2, few_shot: 1, few_shot_bare: 1}", (("zero_shot", 2), ("few_shot", 1), ("few_shot_bare", 1))),
  ],
)
def test_weights_of_formats_keep_their_proportions(shop, tmp_path, monkeypatch, written, whole):
  text = f"- {{name: m, tasks: [bakery.rye], formats: {written}}}"
  (tmp_path / "mixtures.yaml").write_text(text, encoding="utf-8")
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", f"{shop}:{tmp_path}")
  (part,) = mixtures.get_mixture("m").parts
  assert part.formats == whole


def test_a_part_that_is_found_in_files_is_empty_without_them_and_that_is_told(shop, tmp_path):
  full, tmp_path = tmp_path / "full", tmp_path / "half"
  for file in ("full/found/egg", "half/bakery/rye", "half/bakery/oat"):
    path = tmp_path.parent / f"{file}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}", encoding="utf-8")
  for data_dir, found in ((None, ()), (tmp_path, ()), (full, ("farm.found_egg",))):
    mixture = mixtures.get_mixture("half_found", data_dir)
    assert mixture.tasks == ("bakery.rye", "bakery.oat", *found)
    assert {part.name: part.tasks for part in mixture.parts}["market"] == found
  mixture = mixtures.get_mixture("half_found", tmp_path)
  present, missing = mixtures.installed(mixture, tmp_path, "skip")
  assert present == ("bakery.rye", "bakery.oat")
  assert str(missing[0]) == (
    f"part market (farm.found_*) needs found, which belongs in {tmp_path} (--data_dir). "
    "It comes from the weekly market."
  )
  assert mixture.only(present).parts == mixture.parts[:1]
  with pytest.raises(sources.MissingDataError, match=r"0 of the 2 tasks of half_found .* 1 of its 2 parts all their"):
    mixtures.installed(mixture, tmp_path)


def test_a_mixture_without_any_task_is_an_error_and_is_listed(shop):
  with pytest.raises(errors.UsageError, match=r"mixture found has no task: farm\.found_\* are to be found in files"):
    mixtures.get_mixture("found")
  assert {mixture.name: len(mixture.tasks) for mixture in mixtures.declared_mixtures()}["found"] == 0


def test_every_declared_mixture_is_found_by_its_name_and_has_each_task_once(shop):
  for mixture in mixtures.declared_mixtures():
    assert len(set(mixture.tasks)) == len(mixture.tasks)
    if mixture.tasks:
      assert mixtures.get_mixture(mixture.name) == mixture


PROGRAM = """
import random
import numpy
before = random.getstate(), str(numpy.random.get_state())
from flan_jax.data import mixing, mixtures, prepare, rendering
asked = [mixtures.get_mixture(name) for name in ("demo(tasks=20, seed=1)", "cot")]
rates = [mixtures.rates(mixture, {task: len(task) for task in mixture.tasks}) for mixture in asked]
order = mixing.Mixing(list(rates[0]), [[9]] * len(rates[0]), list(rates[0].values()), 0).draw(0, 500)
assert (random.getstate(), str(numpy.random.get_state())) == before, "importing draws from a global generator"
print(asked, rates, order.task.tolist(), order.example.tolist())
"""


def test_nothing_is_random_at_import():
  outputs = set()
  for hash_seed in ("1", "2"):
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    outputs.add(
      subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True).stdout
    )
  assert len(outputs) == 1
