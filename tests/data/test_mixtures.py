"""Mixtures by name: patterns, clusters, formats; and what is not installed is told."""

import pytest

from flan_jax import errors
from flan_jax.data import formats, mixtures, sources


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
