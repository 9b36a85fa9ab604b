"""What the demo holds out: units of clusters leave whole, and which do is drawn by a rule from the base's table."""

import importlib.util
import itertools
import pathlib

import pytest

from flan_jax import errors
from flan_jax.data import mixtures, related_clusters, spec_files, specs
from flan_jax.evaluation.held_out.results import Results

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "draw_held_out.py"


def _loaded():
  spec = importlib.util.spec_from_file_location("draw_held_out", SCRIPT)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


rule = _loaded()


def rows_with(corrected):
  """A table in which every task of a unit scores the unit's chance-corrected accuracy of 40 examples, chance 0.2."""
  unit_of = {cluster: unit for unit, clusters in rule.units().items() for cluster in clusters}
  share = {unit: 0.2 + 0.8 * corrected.get(unit, 0.0) for unit in rule.units()}
  return [
    rule.TaskRow(spec.name, spec.cluster, 40, round(40 * share[unit_of[spec.cluster]]), 0.2) for spec in rule._tasks()
  ]


def made_up(*names, low=0.3):
  return [rule.Unit(name, (name,), 6, low + 0.05, (low, low + 0.1)) for name in names]


def clusters_of(mixture):
  return {specs.get_task(task).cluster for task in mixtures.get_mixture(mixture).tasks}


def test_a_unit_is_what_leaves_together():
  units = rule.units()
  assert set(itertools.chain(*units.values())) == clusters_of("demo_all")
  for clusters in units.values():
    for cluster in clusters:
      leaving = {name for collection, name in related_clusters.leaving_with((f"demo.{cluster}",))}
      assert leaving == set(clusters)


def test_a_unit_beats_chance_if_its_whole_interval_does():
  *names, last = (name for name in rule.units() if name not in rule.NO_PART)
  found = {unit.unit: unit for unit in rule.table(rows_with({names[0]: 0.5, names[1]: 0.0, last: -0.1}))}
  assert found[names[0]].eligible
  assert found[names[0]].corrected == pytest.approx(0.5, abs=0.02)
  assert not found[names[1]].eligible
  assert not found[last].eligible
  for unit in found.values():
    assert unit.interval[0] <= unit.corrected <= unit.interval[1]


def test_the_draw_depends_on_which_units_are_eligible_and_on_nothing_else():
  some, drawn = made_up(*"abcdef"), rule.draw(made_up(*"abcdef"))
  assert rule.draw(reversed(some)) == rule.draw(made_up(*"abcdef", low=0.9)) == drawn
  assert [len(units) for units in drawn.values()] == [2, 2]
  assert len({*drawn["dev"], *drawn["final"]}) == 4
  spare = next(name for name in "abcdef" if name not in (*drawn["dev"], *drawn["final"]))
  assert rule.draw(unit for unit in some if unit.unit != spare) == drawn  # one that was not drawn has no say


def test_lists_take_no_part_and_three_units_are_too_few():
  with pytest.raises(errors.FlanJaxError, match=r"3 units .*has to get better.*not the rule weaker"):
    rule.draw([*made_up(*"abc", *rule.NO_PART), *made_up("d", low=0.0)])


def test_a_table_is_of_all_tasks_and_of_a_base_that_saw_none():
  with pytest.raises(errors.UsageError, match="tasks have no row in the format continuation"):
    rule.task_rows(Results({}, [], []))


def test_what_is_written_is_read_back(tmp_path):
  unit = {"unit": "a", "interval": [-0.1, 0.25], "clusters": ["a", "b"], "eligible": False}
  content = {"base": "0123456789012345", "drawn": {"dev": ["c"]}, "units": [unit], "tasks": [{"n": 3}, {"n": 4}]}
  path = tmp_path / "held_out.yaml"
  path.write_text(rule.text_of(content), encoding="utf-8")
  assert spec_files.read_mapping(path) == content


def test_mixtures_hold_out_what_is_said():
  dev, final = clusters_of("demo_dev"), clusters_of("demo_final")
  lists = {"new_chains", "deep_chains"}
  assert not dev & final
  assert clusters_of("demo") == clusters_of("demo_all") - dev - final - lists
  assert (clusters_of("demo_compositions"), clusters_of("demo_deep")) == ({"new_chains"}, {"deep_chains"})
  assert clusters_of("demo_held_out") == dev | final | {"new_chains"}
  assert set(mixtures.get_mixture("demo_one_task").tasks) < set(mixtures.get_mixture("demo_final").tasks)
  units = rule.units().values()
  for held_out in (dev, final):
    assert all(set(clusters) <= held_out for clusters in units if held_out & set(clusters))


def test_mixtures_hold_out_what_the_rule_draws():
  committed = spec_files.read_mapping(rule.FILE)
  rows = [rule.TaskRow(**row) for row in committed["tasks"]]
  assert [row.task for row in rows] == [spec.name for spec in rule._tasks()]
  assert rule.record(rows, rule.table(rows), rule.fingerprint(rule.BASE)) == committed
  for role, clusters in committed["clusters"].items():
    assert clusters_of(f"demo_{role}") == set(clusters), f"mixtures.yaml: the clusters of demo_{role} are {clusters}"
  assert mixtures.get_mixture("demo_one_task").tasks == (committed["one_task"],)
