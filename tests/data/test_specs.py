"""Specs are found by name, expanded from tables, and refused with the file and the nearest right word."""

import math
import pathlib
import re
import subprocess
import sys

import pytest

from flan_jax import errors
from flan_jax.data import spec_files, specs


def test_a_spec_says_what_the_file_says(toy):
  spec = specs.get_task("toy.capitals")
  assert spec.name == "toy.capitals"
  assert spec.collection == "toy"
  assert spec.fields == {"question": "asked", "rationale": "why"}
  assert (spec.held_out_percent, spec.cap, spec.metrics) == (20, specs.DEFAULT_CAP, ("exact_match",))


def test_yes_and_no_are_words(toy):
  assert specs.get_task("toy.parity").choices == ("yes", "no")


def test_numbers_are_those_of_yaml_1_2_and_what_else_looks_like_one_is_a_text(tmp_path):
  path = tmp_path / "values.yaml"
  texts = ["10:30", "1_000", "0777", "007", "0x1F", "0b1", "2020-02-30", "2020-01-01", "=", "1.2.3", "-", "1e", "+"]
  numbers = {"0": 0, "-5": -5, "+3": 3, "1.50": 1.5, ".5": 0.5, "1e-3": 0.001, "2.": 2.0, "-.inf": -math.inf}
  path.write_text("".join(f"- [{value}]\n" for value in (*texts, *numbers)), encoding="utf-8")
  assert spec_files.read(path) == [[value] for value in (*texts, *numbers.values())]


@pytest.mark.parametrize("text", ["!!int a", "!!bool maybe", "!!timestamp 2020-02-30", "!!timestamp a", "[" * 20_000])
def test_yaml_that_cannot_be_made_values_of_is_told(tmp_path, text):
  path = tmp_path / "values.yaml"
  path.write_text(f"- {text}", encoding="utf-8")
  with pytest.raises(errors.FlanJaxError, match=r"values\.yaml.*: not YAML"):
    spec_files.read(path)


def test_for_each_expands_a_table(toy):
  assert specs.task_names("toy") == ("toy.capitals", "toy.parity", "toy.echo_a", "toy.echo_b")
  spec = specs.get_task("toy.echo_b")
  assert spec.reader["tsv"] == "toy/b.tsv"
  assert spec.constants == {"text": "the b"}


def test_a_lone_placeholder_keeps_its_type_and_other_braces_stay():
  entry = {"name": "t{n}", "reader": {"params": {"n": "{n}"}}, "citation": "@x{y}", "for_each": [{"n": 3}]}
  assert list(spec_files.expanded(pathlib.Path("f"), entry)) == [
    {"name": "t3", "reader": {"params": {"n": 3}}, "citation": "@x{y}"}
  ]


def test_wordings_have_ids_and_stand_under_their_format(toy):
  kind = specs.get_type("toy_choice")
  assert [w.id for w in kind.wordings["few_shot"]] == ["toy_choice/few_shot/0", "toy_choice/few_shot/1"]
  assert set(specs.get_type("toy_plain").wordings) == {"zero_shot"}


@pytest.mark.parametrize(
  ("find", "name", "told"),
  [
    (specs.get_task, "toy.capitol", "toy.capitals"),
    (specs.get_task, "toys.capitals", "toy.capitals"),
    (specs.get_type, "toy_chioce", "toy_choice"),
    (specs.task_names, "tox", "toy"),
  ],
)
def test_an_unknown_name_is_told_the_nearest(toy, find, name, told):
  with pytest.raises(errors.UsageError, match=f"Nearest: .*{told}"):
    find(name)


@pytest.mark.parametrize(
  ("text", "told"),
  [
    (
      "- {name: t, raeder: {}, type: reasoned_question, cluster: c}",
      "task 't' has an unknown key 'raeder'; nearest: reader",
    ),
    ("- {name: t, type: toy_plain, cluster: c}", "tasks.yaml: task 't' has no 'reader'"),
    ("- {name: t\n  - x", r"tasks.yaml:\d: not YAML"),
    ("name: t", "a list was expected, not dict"),
    ("- t", "an entry is 't', not a mapping"),
    (
      "- {name: t, reader: {jsonl: f}, type: reasoned_question, cluster: c, show_options: often}",
      "show_options is 'often', not one of drawn",
    ),
    ("- &t {name: t, reader: {jsonl: f}, type: reasoned_question, cluster: c}\n- *t", "two tasks are called"),
    ("- {name: t, reader: {}, type: reasoned_question, cluster: c, for_each: 3}", "for_each is neither"),
    ("- {name: t, reader: {}, type: reasoned_question, cluster: c, for_each: {a: 5}}", "'t': for_each is neither"),
    ("- {name: t, reader: {}, type: reasoned_question, cluster: c, for_each: {a: xy}}", "'t': for_each is neither"),
    ("- {name: t, reader: {}, type: [nli], cluster: c}", r"task 't': type is \['nli'\], not a text"),
    ("- {name: t, reader: {jsonl: f}, type: reasoned_qestion, cluster: c}", "task 't'.*Nearest: reasoned_question"),
    ("- {discover: p4}", "discover: 'p4' is none of"),
    *(
      (
        f"- {{name: '{name}', reader: {{jsonl: f}}, type: reasoned_question, cluster: c}}",
        "name is .*, not a name without",
      )
      for name in ("../../../escaped", "a/b", "a..b", ".a", "", "a\\b")
    ),
  ],
)
def test_a_mistake_in_a_file_is_told_with_its_place(tmp_path, monkeypatch, text, told):
  (tmp_path / "bad").mkdir()
  (tmp_path / "bad" / "tasks.yaml").write_text(text, encoding="utf-8")
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(tmp_path))
  with pytest.raises(errors.FlanJaxError, match=told):
    specs.task_names("bad")


@pytest.mark.parametrize(
  ("more", "told"),
  [
    ("choices: yes", "choices is 'yes', not a list of texts or numbers"),
    ("cap: many", "cap is 'many', not a whole number above 0"),
    ("cap: 0", "cap is 0, not a whole number above 0"),
    ("held_out_percent: half", "held_out_percent is 'half', not a number from 0 to 100"),
    ("held_out_percent: .nan", "held_out_percent is nan, not a number from 0 to 100"),
    ("held_out_percent: -5", "held_out_percent is -5, not a number from 0 to 100"),
    ("held_out_percent: 150", "held_out_percent is 150, not a number from 0 to 100"),
    ("inverted: no", "inverted is 'no', not true or false"),
    ("tags: mine", "tags is 'mine', not a list of texts"),
    ("reader: file.jsonl", "reader is 'file.jsonl', not a mapping"),
    ("reader: {}", "names not one of the readers tsv, jsonl"),
    ("reader: {jsonl: f, tsv: f}", "names not one of the readers"),
    ("reader: {csv: f, delimeter: ';'}", "'csv' has an unknown key 'delimeter'; nearest: delimiter"),
    ("reader: {tfds: 'a:1.0.0', spilt: test}", "'tfds' has an unknown key 'spilt'; nearest: split"),
    ("reader: {jsonl: f, split: test}", "'jsonl' has an unknown key 'split'"),
    ("reader: {tsv: f, header: no}", "header is 'no', not true or false"),
    ("reader: {tsv: f, columns: question}", "columns is 'question', not a list of texts"),
    ("reader: {promptsource: f, template: t}", "'promptsource' has no 'rows'"),
    ("reader: {promptsource: f, template: t, rows: {jsonl: f, spilt: x}}", "'jsonl' has an unknown key 'spilt'"),
    ("fields: {answer: {chioce: label}}", "'chioce' is no key of {choice: COLUMN}; nearest: choice"),
    ("fields: {answer: {first: 1}}", "has no 'choice'; write {choice: COLUMN}"),
    ("fields: {answer: {choice: label, first: one}}", "first is 'one', not a whole number"),
    ("fields: {answer: 3}", "the field 'answer' is 3, not a column"),
    ("fields: {anser: a}", "fields: 'anser' is no field of its type; nearest: answer"),
    ("constants: {questoin: a}", "constants: 'questoin' is no field of its type; nearest: question"),
  ],
)
def test_a_value_that_is_not_what_its_key_wants_is_told(tmp_path, monkeypatch, more, told):
  (tmp_path / "bad").mkdir()
  reader = "" if "reader" in more else "reader: {jsonl: f, options_within: question}, "
  text = f"- {{name: t, {reader}type: reasoned_question, cluster: c, {more}}}"
  (tmp_path / "bad" / "tasks.yaml").write_text(text, encoding="utf-8")
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(tmp_path))
  with pytest.raises(errors.FlanJaxError, match=r"bad/tasks\.yaml: task 't': .*" + re.escape(told)):
    specs.task_names("bad")


def test_a_type_may_not_have_the_name_of_a_common_one(tmp_path, monkeypatch):
  (tmp_path / "mine").mkdir()
  (tmp_path / "mine" / "tasks.yaml").write_text("[]", encoding="utf-8")
  types = "- {name: sentiment, fields: [text, answer], target: '{{ answer }}', wordings: ['{{ text }}']}"
  (tmp_path / "mine" / "types.yaml").write_text(types, encoding="utf-8")
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(tmp_path))
  with pytest.raises(errors.FlanJaxError, match=r"mine/types\.yaml: sentiment: a common type has that name"):
    specs.type_names()


def test_a_folder_of_collections_that_is_not_there_is_named(monkeypatch):
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", "/not/there")
  with pytest.raises(errors.UsageError, match="there is no folder /not/there"):
    specs.collections()


def test_an_option_style_refuses_more_choices_than_markers():
  style = specs.OptionStyle("s", "Pick:", "{marker}: {text}", ("1", "2"))
  assert style.block(("x", "y")) == "Pick:\n1: x\n2: y"
  assert not style.fits(3)


def test_more_than_26_options_have_a_style():
  assert any(style.fits(100) for style in specs.option_styles())


def test_listing_every_task_imports_no_heavy_library():
  code = (
    "import sys; from flan_jax.data import specs; names = specs.task_names();"
    "heavy = {'tensorflow', 'jax', 'seqio', 'jinja2'} & set(sys.modules);"
    "print(len(names), sorted(heavy))"
  )
  count, heavy = subprocess.check_output([sys.executable, "-c", code], text=True).split(maxsplit=1)
  assert int(count) >= 9
  assert heavy.strip() == "[]"
