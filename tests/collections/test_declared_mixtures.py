"""The mixtures that come with the package, against what their papers and repositories say."""

import pytest

from flan_jax.data import mixtures, related_clusters, spec_files, specs

# (part, share, cap) in the papers' order: Chung et al. 2022, Table 23; the released code of FLAN.
PARTS = {
  "flan2022_a": [("cot", 3.0, 100_000), ("muffin", 52.0, 30_000), ("t0_sf", 15.0, 20_000), ("niv2", 30.0, 5_000)],
  "flan2022_b": [("cot", 1.8, 100_000), ("muffin", 46.0, 30_000), ("t0_sf", 27.9, 20_000), ("niv2", 24.2, 5_000)],
  "flan2022_release": [
    ("flan2021", 40.0, 30_000),
    ("t0", 32.0, 20_000),
    ("niv2", 20.0, 5_000),
    ("cot", 5.0, 100_000),
    ("dialog", 3.0, 200_000),
  ],
}
FLAN_CLUSTERS = spec_files.read(specs.collection_folder("flan2021") / "clusters.yaml")


@pytest.mark.parametrize("name", PARTS)
def test_flan_2022_has_its_papers_shares_and_caps(name, shared_data):
  mixture = mixtures.get_mixture(name, shared_data)
  assert [(part.name, part.share, part.cap) for part in mixture.parts] == PARTS[name]
  sizes = {part.name: len(part.tasks) for part in mixture.parts}
  assert (sizes["cot"], sizes.get("t0_sf", sizes.get("t0"))) == (9, 193)
  assert all(sizes.values())
  assert not any("mmlu" in task for task in mixture.tasks)
  counts = dict.fromkeys(mixture.tasks, 10_000)
  rates = mixtures.rates(mixture, counts, shared_data)
  total, shares = sum(rates.values()), sum(part.share for part in mixture.parts)
  for part in mixture.parts:
    assert sum(rates[task] for task in part.tasks) / total == pytest.approx(part.share / shares)


def test_settings_of_the_release_are_alike():
  for part in mixtures.get_mixture("flan2022_release").parts:
    assert len({weight for _, weight in part.formats}) == 1
    assert part.options == ("drawn" if part.name in ("flan2021", "t0") else "always")


def test_flan_2021_has_its_limit_and_its_cap():
  mixture = mixtures.get_mixture("flan2021")
  assert mixture.max_per_task == 30_000
  rates = mixtures.rates(mixture, dict.fromkeys(mixture.tasks, 100_000))
  datasets = {task: specs.get_task(task).inverted_of or task for task in mixture.tasks}
  weights = {each: sum(rates[task] for task in mixture.tasks if datasets[task] == each) for each in datasets.values()}
  assert set(weights.values()) == {3_000.0}


def test_related_clusters_leave_flans_splits_together():
  whole = mixtures.get_mixture("flan2021").tasks
  assert len(FLAN_CLUSTERS) == 17
  for k, entry in enumerate(FLAN_CLUSTERS):
    left_out = {entry["cluster"], *entry["also_excluded"]}
    split = mixtures.get_mixture(f"flan_inter_cluster_split_{k}")
    assert split.tasks == tuple(task for task in whole if specs.get_task(task).cluster not in left_out)
    names = {
      cluster
      for name, cluster in related_clusters.leaving_with((f"flan2021.{entry['cluster']}",))
      if name == "flan2021"
    }
    assert names == left_out


def test_groups_name_clusters_that_there_are(shared_data):
  names = specs.task_names(None, shared_data)
  known = {(spec.collection, spec.cluster) for spec in (specs.get_task(name, shared_data) for name in names)}
  declared = {(name, entry["cluster"]) for name, entry in (("flan2021", entry) for entry in FLAN_CLUSTERS)}
  for group in related_clusters.group_names():
    for collection, cluster in related_clusters.leaving_with((group,)):
      # Super-NaturalInstructions and P3 have more clusters than the samples.
      assert (collection, cluster) in known | declared or collection in ("super_ni", "p3")


def test_held_out_clusters_leave_all_collections(shared_data):
  mixture = mixtures.get_mixture("flan2022_b(without=['entailment'])", shared_data)
  left = {(spec.collection, spec.cluster) for spec in (specs.get_task(t, shared_data) for t in mixture.tasks)}
  assert not left & {("flan2021", "entailment"), ("flan2021", "paraphrase"), ("cot", "nli"), ("p3", "paraphrase")}
  assert not left & {("super_ni", "Textual Entailment"), ("super_ni", "Paraphrasing")}
  assert ("flan2021", "sentiment") in left


def test_t0_caps_are_of_the_dataset_over_its_templates(shared_data):
  mixture = mixtures.get_mixture("t0", shared_data)
  rates = mixtures.rates(mixture, dict.fromkeys(mixture.tasks, 10**7), shared_data)
  assert rates["p3.amazon_polarity_user_satisfied"] == 500_000 // 9
  assert rates["p3.app_reviews_convert_to_rating"] == 288_065
  held_out = mixtures.get_mixture("super_ni_test", shared_data)
  assert held_out.evaluation_only
  assert len(held_out.tasks) == 12


def test_super_ni_trains_on_100_of_each_task_of_the_official_split(shared_data):
  mixture = mixtures.get_mixture("super_ni", shared_data)
  (part,) = mixture.parts
  assert (mixture.max_per_task, part.formats, part.shots) == (100, (("few_shot", 1),), (2, 2))
  assert all("train_split" in specs.get_task(task, shared_data).tags for task in mixture.tasks)
  assert not set(mixture.tasks) & set(mixtures.get_mixture("super_ni_test", shared_data).tasks)


def test_suites_are_trained_on_by_nothing(shared_data):
  trained = (mixture for mixture in mixtures.declared_mixtures(shared_data) if not mixture.evaluation_only)
  for mixture in trained:
    mixtures.check_trainable(mixture, shared_data)
