"""FLAN 2021's and the dialogues' TFDS tasks: records as the builders declare them become the types' fields."""

import itertools

import pytest
import yaml

from flan_jax.data import mapping, spec_files, specs, templates
from flan_jax.data.readers import NoExample

# By task: a record (made up; labels as their positions in the builder's list) and the fields that it must become.
SAME = {"premise": "It rains.", "hypothesis": "It is wet.", "idx": 7}
PAIR = {"sentence1": "He left.", "sentence2": "He went away."}
ENDINGS = {"context": "She lit the stove.", "endings": ["It snowed.", "It grew warm."]}
ARC = {"id": "q1", "question": "What melts?", "choices": {"text": ["ice", "sand", "air"], "label": [0, 1, 2]}}
NO_PAGES = {key: [] for key in ("doc_source", "filename", "title", "wiki_context")}
NO_RESULTS = {key: [] for key in ("description", "filename", "rank", "title", "url", "search_context")}
NAMES = ("matched_wiki_entity_name", "normalized_matched_wiki_entity_name", "normalized_value", "type")
NLI = {"premise": "It rains.", "hypothesis": "It is wet."}
TWO_WAYS = ["entailment", "not entailment"]
THREE_WAYS = ["entailment", "neutral", "contradiction"]
POLARITIES = ["negative", "positive"]

CASES = {
  **{
    f"flan2021.anli_{r}": (
      {"uid": "u", "context": "It rains.", "hypothesis": "It is wet.", "label": 2},
      {**NLI, "choices": THREE_WAYS, "answer": "contradiction"},
    )
    for r in ("r1", "r2", "r3")
  },
  "flan2021.cb": (
    {**SAME, "label": 1},
    {**NLI, "choices": ["entailment", "contradiction", "neutral"], "answer": "contradiction"},
  ),
  "flan2021.rte": ({**SAME, "label": 1}, {**NLI, "choices": TWO_WAYS, "answer": "not entailment"}),
  **{
    f"flan2021.mnli_{half}": ({**SAME, "label": 1}, {**NLI, "choices": THREE_WAYS, "answer": "neutral"})
    for half in ("matched", "mismatched")
  },
  "flan2021.qnli": (
    {"question": "Who left?", "sentence": "Ann left.", "label": 0, "idx": 7},
    {
      "premise": "Ann left.",
      "hypothesis": "This answers the question: Who left?",
      "choices": TWO_WAYS,
      "answer": "entailment",
    },
  ),
  "flan2021.wnli": (
    {**PAIR, "label": 1, "idx": 7},
    {"premise": "He left.", "hypothesis": "He went away.", "choices": TWO_WAYS[::-1], "answer": "entailment"},
  ),
  "flan2021.snli": (
    {key: SAME[key] for key in ("premise", "hypothesis")} | {"label": 0},
    {**NLI, "choices": THREE_WAYS, "answer": "entailment"},
  ),
  **{
    f"flan2021.{name}": (
      {"text": "A bore.", "label": 0},
      {"text": "A bore.", "choices": POLARITIES, "answer": "negative"},
    )
    for name in ("imdb_reviews", "yelp_polarity_reviews")
  },
  "flan2021.sentiment140": (
    {"polarity": 4, "date": "Mon", "query": "NO_QUERY", "user": "ann", "text": "Great day"},
    {"text": "Great day", "choices": ["negative", "neutral", "positive"], "answer": "positive"},
  ),
  "flan2021.sst2": (
    {"sentence": "a gem", "label": 1, "idx": 7},
    {"text": "a gem", "choices": POLARITIES, "answer": "positive"},
  ),
  "flan2021.glue_mrpc": ({**PAIR, "label": 1, "idx": 7}, {**PAIR, "choices": ["no", "yes"], "answer": "yes"}),
  "flan2021.glue_qqp": (
    {"question1": "Why?", "question2": "How come?", "label": 1, "idx": 7},
    {"sentence1": "Why?", "sentence2": "How come?", "choices": ["no", "yes"], "answer": "yes"},
  ),
  "flan2021.paws_wiki": ({**PAIR, "label": 0}, {**PAIR, "choices": ["no", "yes"], "answer": "no"}),
  "flan2021.stsb": (
    {**PAIR, "label": 3.799999952316284, "idx": 7},
    {**PAIR, "answer": "4"},
  ),
  "flan2021.trivia_qa": (
    {
      "question": "Which sea lies there?",
      "question_id": "t_1",
      "question_source": "http://quiz",
      "entity_pages": NO_PAGES,
      "search_results": NO_RESULTS,
      "answer": {
        "aliases": ["Adria", "the Adriatic"],
        "normalized_aliases": ["adria"],
        "value": "Adriatic",
        **dict.fromkeys(NAMES, ""),
      },
    },
    {"question": "Which sea lies there?", "answer": "Adriatic"},
  ),
  "flan2021.natural_questions": (
    {"question": "who wrote it", "answer": ["Ann Lee", "A. Lee"]},
    {"question": "who wrote it", "answer": "Ann Lee", "references": ["Ann Lee", "A. Lee"]},
  ),
  **{
    f"flan2021.arc_{name}": (
      {**ARC, "answerKey": 1},
      {"question": "What melts?", "choices": ["ice", "sand", "air"], "answer": "sand"},
    )
    for name in ("challenge", "easy")
  },
  "flan2021.copa": (
    {
      "premise": "The lamp fell.",
      "choice1": "It broke.",
      "choice2": "It sang.",
      "question": "effect",
      "label": 0,
      "idx": 7,
    },
    {
      "situation": "The lamp fell.",
      "question": "What happened as a result?",
      "choices": ["It broke.", "It sang."],
      "answer": "It broke.",
    },
  ),
  "flan2021.hellaswag": (
    {**ENDINGS, "activity_label": "Cooking", "label": 1, "split_type": "indomain", "source_id": "wikihow~1"},
    {
      "situation": ENDINGS["context"],
      "question": "How does it go on?",
      "choices": ENDINGS["endings"],
      "answer": "It grew warm.",
    },
  ),
  "flan2021.story_cloze": (
    {**ENDINGS, "label": 2},
    {
      "situation": ENDINGS["context"],
      "question": "How does the story end?",
      "choices": ENDINGS["endings"],
      "answer": "It grew warm.",
    },
  ),
  "flan2021.piqa": (
    {"id": "p", "goal": "open a jar", "sol1": "Turn the lid.", "sol2": "Eat it.", "label": 0},
    {
      "situation": "open a jar",
      "question": "How can this be done?",
      "choices": ["Turn the lid.", "Eat it."],
      "answer": "Turn the lid.",
    },
  ),
  "dialog.qrecc": (
    {
      "context": ["Who was Ann?", "A pilot."],
      "question": "Where did she fly?",
      "question_rewrite": "Where did Ann fly?",
      "answer": "To Rome.",
      "answer_url": "http://x",
      "conversation_id": 1,
      "turn_id": 2,
      "source": "quac",
    },
    {"context": "Who was Ann?\nA pilot.\nWhere did she fly?", "answer": "To Rome.", "references": ["To Rome."]},
  ),
  "dialog.wiki_dialog": (
    {
      "title": "Ann",
      "pid": "1",
      "passage": "Ann flew.",
      "sentences": ["Ann flew.", "She flew to Rome."],
      "utterances": ["What did Ann do?", "Ann flew.", "Where to?", "She flew to Rome."],
      "author_num": [0, 1, 0, 1],
    },
    {"context": "What did Ann do?\nAnn flew.\nWhere to?", "answer": "She flew to Rome."},
  ),
}
# What the builders call the labels, and what the tasks do.
LABELS = {
  "e": "entailment",
  "n": "neutral",
  "c": "contradiction",
  "not_entailment": "not entailment",
  "neg": "negative",
  "pos": "positive",
  "1": "negative",  # Yelp's stars 1 and 2 are class 1
  "2": "positive",
  "not_equivalent": "no",
  "equivalent": "yes",
  "not_duplicate": "no",
  "duplicate": "yes",
  "different_meaning": "no",
  "paraphrase": "yes",
}
TASKS = [name for c in ("flan2021", "dialog") for name in specs.task_names(c) if not specs.get_task(name).inverted_of]
INVERTED = [name for c in ("flan2021", "dialog") for name in specs.task_names(c) if specs.get_task(name).inverted_of]


def fields_of(name: str, record: dict) -> mapping.Fields:
  spec = specs.get_task(name)
  return mapping.mapped(record, spec, specs.get_type(spec.type))


@pytest.fixture
def features(name, tmp_path_factory, monkeypatch):
  """The features of the task's dataset as its TFDS builder declares them; no server is asked."""
  import tensorflow_datasets as tfds
  from tensorflow_datasets.core.utils import gcs_utils

  monkeypatch.setattr(gcs_utils, "_is_gcs_disabled", True)
  folder = tmp_path_factory.getbasetemp()
  return tfds.builder(specs.get_task(name).reader["tfds"], data_dir=folder).info.features


def test_every_task_has_its_case():
  assert sorted(TASKS) == sorted(CASES)


@pytest.mark.parametrize("name", TASKS)
def test_a_record_becomes_the_types_fields(name):
  record, fields = CASES[name]
  mapped = fields_of(name, record)
  assert {key: list(value) if isinstance(value, tuple) else value for key, value in mapped.items()} == fields


@pytest.mark.parametrize("name", INVERTED)
def test_the_same_record_can_be_asked_the_other_way_round(name):
  spec = specs.get_task(name)
  fields = fields_of(name, CASES[spec.inverted_of][0])
  kind = specs.get_type(spec.type)
  assert set(kind.fields) <= set(fields)
  assert templates.compiled(kind.target)(fields)
  assert spec.cluster == specs.get_task(spec.inverted_of).cluster


@pytest.mark.parametrize("name", TASKS)
def test_the_record_is_one_that_the_builder_would_give(name, features):
  record, fields = CASES[name]
  assert set(record) == set(features)
  features.encode_example(record)  # refuses what is of another type, and labels beyond the list
  for column, feature in features.items():
    if column == "label" and hasattr(feature, "names") and specs.get_task(name).choices:
      assert [LABELS.get(label, label) for label in feature.names] == fields["choices"]


@pytest.mark.parametrize(
  ("name", "change"),
  [
    ("flan2021.snli", {"label": -1}),
    ("flan2021.hellaswag", {"label": -1}),
    ("flan2021.story_cloze", {"label": -1}),
    ("flan2021.natural_questions", {"answer": []}),
    ("dialog.qrecc", {"answer": ""}),
  ],
)
def test_a_record_without_an_answer_gives_no_example(name, change):
  with pytest.raises(NoExample):
    fields_of(name, {**CASES[name][0], **change})


def test_the_two_tasks_of_mnli_share_no_row():
  splits = [specs.get_task(f"flan2021.mnli_{half}").reader["split"] for half in ("matched", "mismatched")]
  assert splits == ["train[:50%]", "train[50%:]"]


def clusters() -> dict[str, dict]:
  return {entry["cluster"]: entry for entry in spec_files.read(specs.collection_folder("flan2021") / "clusters.yaml")}


def test_seventeen_clusters_part_the_sixty_nine_tasks():
  found = clusters()
  tasks = list(itertools.chain.from_iterable(entry["tasks"] for entry in found.values()))
  assert len(found) == 17
  assert len(set(tasks)) == len(tasks) == 69
  for cluster, entry in found.items():
    # Who leaves with another takes it along: no pair of clusters is related in one direction only.
    assert all(cluster in found[other]["also_excluded"] for other in entry["also_excluded"])


@pytest.mark.parametrize("name", specs.task_names("flan2021"))
def test_a_task_lies_in_the_cluster_that_names_it(name):
  spec = specs.get_task(name)
  assert (spec.inverted_of or name).removeprefix("flan2021.") in clusters()[spec.cluster]["tasks"]
  assert spec.cap == 30_000


# Where we read other rows than the release does, or say more exactly which; tasks.yaml says why.
OTHER_DATASETS = {
  "paws_wiki": "paws_wiki/labeled_final_tokenized:1.1.0",
  "trivia_qa": "trivia_qa/rc.nocontext:1.1.0",
}


def test_names_counts_and_clusters_are_the_releases(shared_data):
  path = shared_data.parent / "facts" / "flan2021_clusters.yaml"
  if not path.exists():
    pytest.skip(f"{path} is not here: it is the workplace's, not the project's")
  published = yaml.safe_load(path.read_text(encoding="utf-8"))
  assert {name: entry["tasks"] for name, entry in clusters().items()} == published["repository"]["cluster_list"]
  rules = {rule["held_out"]: rule["also_excluded"] for rule in published["repository"]["related_cluster_rules"]}
  assert {name: entry["also_excluded"] for name, entry in clusters().items() if entry["also_excluded"]} == rules
  for full in TASKS:
    name = full.removeprefix("flan2021.")
    if name in published["tasks"]:
      spec, fact = specs.get_task(full), published["tasks"][name]
      assert spec.reader["tfds"] == OTHER_DATASETS.get(name, fact["tfds"])
      assert set(fact["columns"]) <= set(CASES[full][0])
      assert spec.examples == fact["examples_zero_shot"] // (2 if name.startswith("mnli") else 1)
