"""PromptSource templates over rows: all compile, and where P3's sample holds the rendered template, ours are equal."""

import collections
import json
import pathlib
import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data import discovery, readers
from flan_jax.data.discoveries.entries import p3_name
from flan_jax.data.readers import prompt_sandbox, promptsource
from tests.data.readers import unrendering

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
solid = texts.filter(str.strip)

# Datasets whose files in the sample hold the same records in the same order, so that a record read out of one file can
# be rendered by the template of another.
SHARED_RECORDS = {
  "adversarial_qa_dbert": 3,
  "amazon_polarity": 4,
  "cosmos_qa": 4,
  "glue_mrpc": 2,
  "glue_qqp": 2,
  "imdb": 3,
  "paws_labeled_final": 4,
  "quoref": 2,
  "ropes": 4,
  "rotten_tomatoes": 4,
  "samsum": 2,
  "xsum": 4,
  "yelp_review_full": 2,
}


def opened(folder, jinja, records, choices=None, **entry):
  written = {
    "dataset": "d",
    "templates": {"i-d": {"id": "i-d", "name": "ask", "jinja": jinja, "answer_choices": choices}},
  }
  (folder / "templates.yaml").write_text(yaml.safe_dump(written), encoding="utf-8")
  (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
  entry = {"promptsource": "templates.yaml", "template": "ask", "rows": {"jsonl": "rows.jsonl"}, **entry}
  return readers.open_rows(entry, folder)


@settings(max_examples=60, deadline=None)
@given(
  solid,
  solid,
  st.lists(solid.filter(lambda text: "|" not in text), min_size=1, max_size=4, unique_by=str.strip),
  st.data(),
)
def test_columns_come_through_whole(tmp_path_factory, given_text, said, choices, data):
  label = data.draw(st.integers(0, len(choices) - 1))
  record = {"text": given_text, "said": said, "label": label, "options": choices}
  folder = tmp_path_factory.mktemp("ps")
  rows = opened(folder, "Ask: {{ text }} ||| {{ said }}", [record])
  # Text that holds PromptSource's separator itself is no separator.
  assert rows.read(0) == {"input": f"Ask: {given_text}".strip(), "output": said.strip()}
  rows = opened(folder, "{{ text }} ||| {{ answer_choices[label] }}", [record], '{{ options | join("|||") }}')
  read = rows.read(0)
  assert read["output"] == choices[label].strip()
  assert read["choices"] == [choice.strip() for choice in choices]


@pytest.mark.parametrize(
  ("column", "names"),
  [
    *((column, True) for column in ("id", "ID", "idx", "uid", "guid", "index", "ind", "question_id", "pairID", "qid")),
    *((column, True) for column in ("exampleId", "doc-id", "Unnamed: 0", "__index_level_0__")),
    *(
      (column, False) for column in ("text", "valid", "paid", "grid", "kind", "COVID", "reindexed", "id_text", "number")
    ),
  ],
)
def test_what_numbers_a_record_does_not_tell_it_from_its_copy(tmp_path, column, names):
  rows = opened(tmp_path, "{{ q }} ||| {{ q }}", [{"q": "a", column: 1}, {"q": "a", column: 2}, {"q": "b", column: 1}])
  first, second, other = map(rows.original, range(3))
  assert (first == second) == names
  assert other not in (first, second)


@pytest.mark.parametrize("template", ['{{ "\\ud800" }} ||| {{ q }}', '{{ q }} ||| {{ "\\udc00" }}'])
def test_half_a_surrogate_pair_of_the_templates_own_is_told(tmp_path, template):
  with pytest.raises(ValueError, match="half a surrogate pair"):
    opened(tmp_path, template, [{"q": "a"}]).read(0)
  with pytest.raises(ValueError, match="half a surrogate pair"):
    opened(tmp_path, "{{ q }} ||| {{ q }}", [{"q": "a"}], '{{ "\\ud800" }}').read(0)


def test_a_record_that_is_numbers_alone_is_told_by_them(tmp_path):
  rows = opened(tmp_path, "{{ id }} ||| {{ id }}", [{"id": 1}, {"id": 2}])
  assert rows.original(0) != rows.original(1)


@pytest.mark.parametrize(
  ("template", "reason"),
  [
    ("{% if label == 1 %}{{ text }} ||| yes{% endif %}", "no input"),
    ("{{ text }}", "no target"),
    ("{{ text }} ||| {{ nothing }}", "no target"),
    ("{{ text }} ||| a ||| b", "3 parts"),
    ("{{ text }} ||| {{ empty | choice }}", "nothing to choose"),
  ],
)
def test_a_template_that_gives_no_pair_is_no_example(tmp_path, template, reason):
  rows = opened(tmp_path, template, [{"text": "t", "label": 0, "nothing": "", "empty": []}])
  with pytest.raises(readers.NoExample, match=reason):
    rows.read(0)


def test_a_label_that_is_not_known_is_no_example(tmp_path):
  rows = opened(tmp_path, "{{ text }} ||| {{ answer_choices[label] }}", [{"text": "t", "label": -1}], "no ||| yes")
  with pytest.raises(readers.NoExample, match="label is -1"):
    rows.read(0)
  rows = opened(tmp_path, "{{ text }} ||| {{ answer_choices[-1] }}", [{"text": "t", "label": -1}], "no ||| yes")
  assert rows.read(0)["output"] == "yes"  # the template's own -1 is the last choice


def test_ids_and_places_are_the_records_and_templates_cannot_spoil_them(tmp_path):
  rows = opened(tmp_path, "{{ items.pop() }} ||| {{ items | length }}", [{"items": ["a", "b"]}, {"items": []}])
  assert rows.read(0) == rows.read(0) == {"input": "b", "output": "1"}
  assert rows.id(1) == "2"
  assert rows.place(1) == f"{tmp_path}/rows.jsonl:2"
  with pytest.raises(ValueError, match="the template fails on this record"):
    rows.read(1)
  with pytest.raises(ValueError, match="no column 'other'"):
    opened(tmp_path, "{{ other }} ||| a", [{"items": []}]).read(0)


def test_hostile_templates_are_refused(tmp_path):
  with pytest.raises(errors.FlanJaxError, match=r"template 'ask'.*__class__"):
    opened(tmp_path, "{{ text.__class__ }} ||| a", [{"text": "t"}])
  with pytest.raises(errors.FlanJaxError, match="template 'ask': refused"):
    opened(tmp_path, "{{ text['__cl' + 'ass__'] }} ||| a", [{"text": "t"}]).read(0)
  path = tmp_path / "tags.yaml"
  path.write_text("templates: !!python/object/apply:os.system ['true']\n")
  with pytest.raises(errors.FlanJaxError, match=r"tags.yaml:1: not YAML"):
    promptsource.read_templates(path)


def laughs(start, levels=9):
  """A short file whose last level stands for 9 ** levels texts (or keys, of merged mappings)."""
  lines = [f"a0: &a0 {start}"]
  for level in range(1, levels + 1):
    shared = ", ".join([f"*a{level - 1}"] * 9)
    lines.append(f"a{level}: &a{level} " + (f"{{<<: [{shared}]}}" if start.startswith("{") else f"[{shared}]"))
  return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
  ("start", "use", "told"),
  [
    ("[ha]", "dataset: *a9\ntemplates: {}", "its dataset is no text"),
    ("[ha]", "dataset: d\nsubset: *a9\ntemplates: {}", "its subset is no text"),
    ("[ha]", "templates: {i: {name: *a9, jinja: x}}", "i: the template has no name"),
    ("[ha]", "templates: {i: {name: n, jinja: x, answer_choices: *a9}}", "i: answer_choices is not a text"),
    ("[ha]", "templates: {*a9 : x}", "not YAML"),
    ("{ha: 1}", "templates: {}", r"templates.yaml:2: not YAML: a merge key"),
  ],
)
def test_aliases_of_aliases_are_told_before_they_are_copied(tmp_path, start, use, told):
  path = tmp_path / "promptsource" / "templates" / "d" / "templates.yaml"
  path.parent.mkdir(parents=True)
  path.write_text(laughs(start) + use, encoding="utf-8")
  (problem,) = discovery.problems(path, {"discover": "promptsource"}, str(tmp_path))
  assert str(path) in str(problem)
  assert re.search(told, str(problem))
  assert not list(discovery.discovered(path, {"discover": "promptsource"}, str(tmp_path)))


def test_labels_of_a_table_of_texts_are_numbers(tmp_path):
  (tmp_path / "rows.tsv").write_text("text\tlabel\ngood\t1\nbad\t0\n")
  rows = opened(
    tmp_path, '{{ text }} ||| {{ "yes" if label == 1 else "no" }}', [], rows={"tsv": "rows.tsv", "header": True}
  )
  assert [rows.read(row)["output"] for row in range(2)] == ["yes", "no"]


def test_an_unknown_template_is_told_with_the_nearest(tmp_path):
  with pytest.raises(errors.UsageError, match="Nearest: ask"):
    opened(tmp_path, "a ||| b", [], template="aks")


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.text("{}[]:- !&*|>'\"\nadtemplates", max_size=80).map(str.encode)))
def test_any_file_gives_templates_or_a_reason(tmp_path_factory, content):
  path = tmp_path_factory.mktemp("ps") / "templates.yaml"
  path.write_bytes(content)
  try:
    promptsource.read_templates(path)
  except errors.FlanJaxError as error:
    reason = str(error)
    assert reason.startswith(str(path))


@pytest.mark.slow
def test_every_real_template_compiles(shared_data):
  count = 0
  for file in _published(shared_data).values():
    for text in (file.template.jinja, file.template.answer_choices):
      prompt_sandbox.compiled(text, file.template.name)
    count += 1
  assert count == 2085


@pytest.mark.slow
def test_templates_give_what_p3_publishes(shared_data):
  """Records are read out of the files of the other templates of the same dataset, and rendered by this one."""
  published = _published(shared_data)
  compared = collections.Counter()
  for dataset in SHARED_RECORDS:
    names = [
      path.stem for path in sorted((shared_data / "p3").glob(f"{dataset}_*.jsonl")) if "Guess_Title" not in path.stem
    ]
    lines = {name: _lines(shared_data, name, 40) for name in names}
    found = {name: _unrendered(published[name].template, lines[name]) for name in names}
    for name in names:
      for row, line in enumerate(lines[name]):
        record = {"metadata": {"split": "train"}}
        for other in names:
          record |= (found[other][row] or {}) if other != name else {}
        if len(record) > 1:
          ours = _rendered(published[name], record)
          assert (ours["input"], ours["output"]) == (line["input"], line["output"]), (name, row)
          compared[dataset, name] += 1
  assert collections.Counter(dataset for dataset, _ in compared) == SHARED_RECORDS
  assert len(compared) == 40
  assert min(compared.values()) >= 15


AB = {"text": ["more", "less"], "label": ["A", "B"]}
HANDMADE = [  # (template, a record in the dataset's columns, the target)
  ("trec_trec2", {"text": "Who?", "coarse_label": 3}, "Person"),
  ("trec_fine_grained_ENTY", {"text": "What dog?", "coarse_label": 1, "fine_label": 2}, "an animal"),
  ("trec_fine_grained_ENTY", {"text": "Who?", "coarse_label": 3, "fine_label": 2}, None),
  ("qasc_is_correct_2", {"question": "What?", "choices": AB, "answerKey": "A", "combinedfact": "Fact."}, "Yes"),
  (
    "quarel_testing_students",
    {"question": "Q", "answer_index": 1, "world_literals": {"world1": ["ice"], "world2": ["sand"]}},
    "sand",
  ),
  ("quartz_answer_question_below", {"question": "It is _____.", "para": "P", "choices": AB, "answerKey": "B"}, "less"),
  (
    "social_i_qa_Show_choices_and_generate_index",
    {"context": "C", "question": "Q", "answerA": "a", "answerB": "b", "answerC": "c", "label": "2"},
    "B",
  ),
  (
    "wiki_hop_original_generate_subject",
    {"supports": ["s"], "question": "part_of the moon", "answer": "sky", "candidates": ["sky"]},
    "the moon",
  ),
  ("wiqa_what_might_be_the_last_step_of_the_process", {"question_para_step": ["one", "two", ""]}, "two"),
  ("multi_news_synthesize", {"document": "first|||||second|||||", "summary": "- both"}, "both"),
  ("kilt_tasks_hotpotqa_combining_facts", {"input": "Q", "output": [{"answer": "yes"}]}, "yes"),
  (
    "commonsense_qa_question_to_answer_index",
    {"question": "Q", "answerKey": "C", "choices": {"text": ["w", "x", "y", "z"]}},
    "C",
  ),
]


@pytest.mark.parametrize(("name", "record", "target"), HANDMADE)
def test_templates_with_more_than_holes(shared_data, name, record, target):
  file = _published(shared_data)[name]
  if target is None:
    with pytest.raises(readers.NoExample):
      _rendered(file, record)
  else:
    assert _rendered(file, record)["output"] == target


class OneRow:
  """A single record as rows."""

  file = "one"

  def __init__(self, record):
    self._record = record

  def __len__(self):
    return 1

  def read(self, row):
    return self._record

  def id(self, row):
    return "0"

  def place(self, row):
    return "one, row 0"

  def fingerprint(self):
    return "0" * 16


Published = collections.namedtuple("Published", "path template")


def _published(shared_data) -> dict[str, Published]:
  found = {}
  for path in sorted((shared_data / "promptsource" / "templates").glob("**/templates.yaml")):
    file = promptsource.read_templates(path)
    assert not file.problems
    for template in file.templates:
      found[p3_name(file.dataset, file.subset, template.name)] = Published(path, template)
  return found


def _lines(shared_data, name, count):
  rows = readers.open_rows({"p3": f"{name}.jsonl"}, shared_data / "p3")
  return [rows.read(row) for row in range(min(count, len(rows)))]


def _unrendered(template, lines):
  written = template.answer_choices
  choices = [choice.strip() for choice in written.split("|||")] if written and "{{" not in written else []
  try:
    # P3 cuts long values, with '...': such a line does not tell its record.
    return [
      None if "..." in line["input"] else unrendering.columns(template.jinja, choices, line["input"], line["output"])
      for line in lines
    ]
  except unrendering.CannotUnrenderError:
    return [None] * len(lines)


def _rendered(file, record):
  return promptsource.RenderedRows(pathlib.Path(file.path), file.template, OneRow(record)).read(0)
