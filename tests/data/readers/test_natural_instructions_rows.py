"""Super-NaturalInstructions task files: rows, ids, solved examples, and what a listing reads of a file."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data import readers
from flan_jax.data.readers import natural_instructions

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
solid = texts.filter(str.strip)
instances = st.fixed_dictionaries(
  {"id": st.sampled_from(["a", "b", "b#2", "c"]), "input": texts, "output": st.lists(solid, min_size=1)}
)


def task(**changes):
  return {
    "Contributors": ["A. Writer"],
    "Source": ["made_up"],
    "Categories": ["Question Answering"],
    "Definition": ["Say what is asked."],
    "Input_language": ["English"],
    "Output_language": ["French"],
    "Positive Examples": [{"input": "1", "output": "2", "explanation": "One more."}],
    "Negative Examples": [{"input": "1", "output": "3", "explanation": "Two more."}, {"input": "-", "output": "-"}],
    "Instances": [{"id": "t-1", "input": "7", "output": ["8", "eight"]}],
    "Instance License": ["MIT"],
    **changes,
  }


def opened(folder, content, **how):
  text = content if isinstance(content, str) else json.dumps(content, **how)
  (folder / "task1.json").write_text(text, encoding="utf-8")
  return readers.open_rows({"natural_instructions": "task1.json"}, folder)


@settings(max_examples=40, deadline=None)
@given(st.lists(instances, max_size=6), st.sampled_from([None, 1, 4]), st.booleans())
def test_every_instance_comes_back_with_an_id_of_its_own(tmp_path_factory, made, indent, ascii_only):
  rows = opened(tmp_path_factory.mktemp("ni"), task(Instances=made), indent=indent, ensure_ascii=ascii_only)
  assert [(row["input"], row["output"]) for row in map(rows.read, range(len(rows)))] == [
    (each["input"], each["output"]) for each in made
  ]
  ids = [rows.id(row) for row in range(len(rows))]
  assert len(set(ids)) == len(made)
  assert all(own == each["id"] or own.startswith(each["id"] + "#") for own, each in zip(ids, made, strict=True))
  again = opened(tmp_path_factory.mktemp("ni"), task(Instances=made), indent=indent, ensure_ascii=ascii_only)
  assert ids == [again.id(row) for row in range(len(rows))]
  assert rows.fingerprint() == again.fingerprint()


def test_old_files_have_texts_instead_of_lists(tmp_path):
  rows = opened(tmp_path, task(Definition="Do it.", Instances=[{"id": 5, "input": "a", "output": "b"}]))
  assert rows.read(0) == {"definition": "Do it.", "input": "a", "output": ["b"]}
  assert rows.id(0) == "5"


def test_a_malformed_instance_is_told_with_its_line_and_id(tmp_path):
  bad = [
    ({"id": "task1-9f2", "input": "x", "output": []}, "instance 'task1-9f2' has no output"),
    ({"id": "e", "input": "x", "output": [" "]}, "instance 'e' has no output"),
    ({"id": "e", "output": ["y"]}, "instance 'e' has no input"),
    ({"input": "x", "output": [1]}, "instance '3': its output is not a text or a list of texts"),
    ({"id": "e", "input": ["x"], "output": ["y"]}, "its input is a list, not text"),
    ("text", "instance 5 is a text, not an object"),
  ]
  rows = opened(tmp_path, task(Instances=[instance for instance, _ in bad]), indent=1)
  lines = (tmp_path / "task1.json").read_text().split("\n")
  for row, (_, reason) in enumerate(bad):
    with pytest.raises(ValueError, match="instance") as told:
      rows.read(row)
    assert reason in str(told.value)
    file, line = rows.place(row).rsplit(":", 1)
    assert file.endswith("task1.json")
    assert lines[int(line) - 1].strip()[:1] in '{"'


def test_the_publishers_examples_with_their_explanations(tmp_path):
  rows = opened(tmp_path, task())
  assert rows.exemplars() == [
    {"definition": "Say what is asked.", "input": "1", "output": "2", "explanation": "One more."}
  ]
  assert [example["output"] for example in rows.negatives()] == ["3"]  # '-' says that there is none
  assert opened(tmp_path, task(**{"Positive Examples": "none"})).exemplars() == []


@pytest.mark.parametrize("missing", ["Instances", "Definition"])
def test_a_file_without_a_part_is_refused(tmp_path, missing):
  rows = opened(tmp_path, {key: value for key, value in task().items() if key != missing})
  with pytest.raises(errors.FlanJaxError, match=f"task1.json.*{missing}"):
    rows.read(0), len(rows)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_never_gives_another_error(tmp_path_factory, data):
  content = json.dumps(task(), indent=data.draw(st.sampled_from([None, 1])))
  at = data.draw(st.integers(0, len(content) - 1))
  damaged = (
    content[:at]
    + data.draw(st.sampled_from(["", "}", "]", '"', "\\", "\x00", "{"]))
    + content[at + data.draw(st.integers(0, 40)) :]
  )
  try:
    rows = opened(tmp_path_factory.mktemp("ni"), damaged)
    natural_instructions.described(rows.file)
    for row in range(len(rows)):
      assert rows.read(row)["definition"], rows.id(row)
    rows.exemplars()
  except (errors.FlanJaxError, ValueError) as error:
    reason = str(error)
    assert reason


@settings(max_examples=30, deadline=None)
@given(st.permutations(list(task())), st.sampled_from([None, 1, 4]), st.integers(0, 3000))
def test_a_listing_reads_the_same_in_any_order_of_keys(tmp_path_factory, keys, indent, more):
  content = task(Contributors=["x" * 20] * more)
  path = tmp_path_factory.mktemp("ni") / "t.json"
  path.write_text(json.dumps({key: content[key] for key in keys}, indent=indent))
  told = natural_instructions.described(path)
  listed = ("Definition", "Categories", "Source", "Input_language", "Output_language", "Instance License")
  expected = {key: content[key] for key in listed}
  assert {key: told[key] for key in expected} == expected


def test_all_real_tasks_load(shared_data):
  count, licences = 0, set()
  for path in sorted((shared_data / "natural_instructions" / "tasks").glob("*.json")):
    published = json.loads(path.read_text(encoding="utf-8"))
    rows = readers.open_rows({"natural_instructions": path.name}, path.parent)
    assert len(rows) == len(published["Instances"])
    read = [rows.read(row) for row in range(len(rows))]
    assert [row["input"] for row in read] == [instance["input"] for instance in published["Instances"]]
    assert len({rows.id(row) for row in range(len(rows))}) == len(rows)
    assert all(row["definition"] == published["Definition"][0].strip() for row in read)
    told = natural_instructions.described(path)
    assert told["Categories"] == published["Categories"]
    assert rows.exemplars()
    licences.update(told["Instance License"])
    count += 1
  assert count == 112
  assert licences
