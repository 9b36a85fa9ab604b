"""Records by random access; a malformed one is told with file, line and reason and never dropped in silence."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data import readers, rendering, sources, specs, splits
from flan_jax.data.readers import generated

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(str.strip)


def spec_of(reader, **changes) -> specs.TaskSpec:
  values = {"name": "t.t", "collection": "t", "reader": reader, "type": "reasoned_question", "cluster": "c"}
  return specs.TaskSpec(**{**values, **changes})


ANSWER = {"answer": "output"}


def test_columns_become_the_types_fields(toy):
  source = sources.open_source(specs.get_task("toy.capitals"), toy.data_dir)
  assert len(source) == 60
  assert source[3] == sources.Example(
    "4", {"question": "Capital of land 3?", "label": "city 3", "rationale": "Land 3 is ruled from city 3."}
  )


def test_constants_headers_and_fixed_choices(toy):
  echo = sources.open_source(specs.get_task("toy.echo_a"), toy.data_dir)
  assert [dict(echo[i].fields) for i in range(len(echo))] == [
    {"text": "the a", "result": "xa"},
    {"text": "the a", "result": "ya"},
  ]
  assert sources.open_source(specs.get_task("toy.parity"), toy.data_dir)[1].fields["choices"] == ["yes", "no"]


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=8), last_break=st.booleans())
def test_any_tsv_reads_as_its_lines(tmp_path_factory, rows, last_break):
  folder = tmp_path_factory.mktemp("tsv")
  lines = "\n".join("\t".join(row) for row in rows) + ("\n" if last_break else "")
  (folder / "f.tsv").write_text(lines, encoding="utf-8", newline="\n")
  source = sources.open_source(spec_of({"tsv": "f.tsv", "columns": ["question", "answer", "rationale"]}), folder)
  assert not source.problems
  read = [tuple(source[i].fields[name] for name in ("question", "answer", "rationale")) for i in range(len(source))]
  assert read == [tuple(cell.strip() for cell in row) for row in rows]


@settings(max_examples=50, deadline=None)
@given(content=st.binary(min_size=1, max_size=200), kind=st.sampled_from(["tsv", "jsonl"]))
def test_any_bytes_are_examples_or_problems(tmp_path_factory, content, kind):
  folder = tmp_path_factory.mktemp("bytes")
  (folder / "f").write_bytes(content)
  columns = {"columns": ["question", "answer"]} if kind == "tsv" else {}
  source = sources.open_source(spec_of({kind: "f", **columns}), folder)
  lines = [line for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip(b"\r")]
  assert len(source) + len(source.problems) == len(lines)
  assert all(problem.place.startswith(f"{folder}/f:") and problem.reason for problem in source.problems)
  assert all(source[i].fields["answer"] for i in range(len(source)))


def test_reading_everything_gives_what_reading_one_by_one_does(tmp_path):
  lines = [{"question": "a?", "answer": "1"}, {"question": "b?"}, {"question": "c?", "answer": []}, {"question": 3}]
  (tmp_path / "f.jsonl").write_text("\n".join([*map(json.dumps, lines), "{", json.dumps(lines[0])]), encoding="utf-8")
  together, apart = (
    sources.Source(spec_of({"jsonl": "f.jsonl"}), readers.open_rows({"jsonl": "f.jsonl"}, tmp_path)) for _ in range(2)
  )
  everything = together.everything()
  assert everything == [apart[i] for i in range(len(apart))] == together.everything()
  assert (len(everything), together.rows.tolist()) == (2, [0, 5])
  assert together.lost == apart.lost
  assert (len(apart.problems), apart.lost.skipped) == (3, {"the list of answers is empty": 1})


def test_absolute_paths_need_no_data_folder(tmp_path):
  (tmp_path / "f.jsonl").write_text('{"question": "a?", "answer": "1"}', encoding="utf-8")
  assert len(sources.open_source(spec_of({"jsonl": str(tmp_path / "f.jsonl")}), None)) == 1
  assert sources.missing_file(spec_of({"jsonl": str(tmp_path / "g.jsonl")}), None).folder == str(tmp_path)
  assert sources.missing_file(spec_of({"jsonl": "f.jsonl"}), None).folder == "DATA_DIR"


def test_escaped_newlines_are_read_where_the_spec_says_so(tmp_path):
  (tmp_path / "f.tsv").write_text("one\\ntwo\tyes\n", encoding="utf-8")
  reader = {"tsv": "f.tsv", "columns": ["question", "answer"]}
  assert sources.open_source(spec_of(reader), tmp_path)[0].fields["question"] == "one\\ntwo"
  reader = {**reader, "escaped_newlines": True}
  assert sources.open_source(spec_of(reader), tmp_path)[0].fields["question"] == "one\ntwo"


@pytest.mark.parametrize(
  ("line", "reason"),
  [
    ("{", "Expecting property name"),
    ('{"question": "\\ud800", "answer": "a"}', "half a surrogate pair"),
    ("[1]", "a JSON object was expected, not list"),
    ('{"question": "q"}', "the field 'answer' (column 'answer', absent; there are question) is empty"),
    ('{"question": "q", "answer": "  "}', "the field 'answer' (column 'answer') is empty"),
    ('{"question": {}, "answer": "a"}', "the column 'question' holds dict, not text"),
    ('{"question": "q", "answer": "a", "choices": [[1]]}', "the column 'choices' holds a list of other things"),
  ],
)
def test_a_malformed_record_is_told_and_strict_makes_it_fatal(tmp_path, line, reason):
  good = json.dumps({"question": "q", "answer": 3})
  (tmp_path / "f.jsonl").write_text(f"{good}\n\n{line}\n{good}\n", encoding="utf-8")
  spec = spec_of({"jsonl": "f.jsonl"})
  source = sources.open_source(spec, tmp_path)
  assert [source[i].id for i in range(len(source))] == ["1", "4"]
  assert source[0].fields["answer"] == "3"
  (problem,) = source.problems
  assert str(problem).startswith(f"{tmp_path}/f.jsonl:3: ")
  assert reason in problem.reason
  with pytest.raises(errors.FlanJaxError, match=r"f\.jsonl:3: "):
    sources.open_source(spec, tmp_path, strict=True)


def test_a_missing_file_names_itself_its_origin_and_its_folder(tmp_path):
  spec = specs.get_task("cot.esnli")
  with pytest.raises(sources.MissingDataError, match=rf"cot\.esnli needs esnli_train\.tsv.*{tmp_path}/cot.*github"):
    sources.open_source(spec, tmp_path)
  with pytest.raises(sources.MissingDataError, match="--data_dir"):
    sources.open_source(spec, None)


@pytest.mark.parametrize(
  ("reader", "told"),
  [
    ({"cvs": "f"}, "names not one of the readers tsv, jsonl, "),
    ({"tsv": "f"}, "neither `columns"),
    ({"promptsource": "f", "template": "t"}, "the reader 'promptsource' has no 'rows'"),
    ({"generator": "os.path.join"}, "not of the form COLLECTION.MODULE"),
    ({"generator": "demo.nothing_of_the_sort"}, "there is no generator module"),
  ],
)
def test_a_wrong_reader_is_told(tmp_path, reader, told):
  (tmp_path / "f").write_text("x\n", encoding="utf-8")
  with pytest.raises(errors.FlanJaxError, match=told):
    sources.open_source(spec_of(reader), tmp_path)


def test_an_empty_file_is_told(tmp_path):
  (tmp_path / "f").touch()
  with pytest.raises(errors.FlanJaxError, match="the file is empty"):
    sources.open_source(spec_of({"jsonl": "f"}), tmp_path)


def test_the_fingerprint_is_that_of_the_bytes(tmp_path):
  prints = []
  for text in ("a\tb\n", "a\tc\n", "a\tb\n"):
    (tmp_path / "f").write_text(text, encoding="utf-8")
    prints.append(sources.open_source(spec_of({"tsv": "f", "columns": ["question", "answer"]}), tmp_path).fingerprint())
  assert prints[0] == prints[2] != prints[1]


def test_generated_examples_are_found_alone_and_differ_by_task(monkeypatch):
  class Module:
    __file__ = __file__

    @staticmethod
    def generate(rng, most):
      return {"question": f"{rng.randrange(most)} {rng.random()}", "answer": "a"}

  monkeypatch.setattr(generated, "_module", lambda entry: Module)
  reader = {"generator": "demo.any", "examples": 50, "params": {"most": 9}}
  one, other = (sources.open_source(spec_of({**reader, "series": name}), None) for name in ("one", "other"))
  assert len(one) == 50
  assert one[37] == one[37] != other[37]
  assert one.fingerprint() != other.fingerprint()
  assert len({one[i].fields["question"] for i in range(50)}) == 50


def test_made_examples_are_kept_where_they_are_few():
  few, many = (sources.open_source(specs.get_task(f"demo.{name}"), None) for name in ("step_reverse", "narratives"))
  assert few[0] is few[0]
  assert many[0] == many[0] is not many[0]


def test_held_out_is_decided_by_content(toy):
  source = sources.open_source(specs.get_task("toy.capitals"), toy.data_dir)
  parts = splits.split(source)
  assert sorted([*parts.train, *parts.held_out]) == list(range(60))
  assert 3 <= len(parts.held_out) <= 25  # 20% of 60
  assert parts.deciding[10] == parts.deciding[20]
  assert (10 in parts.train) == (20 in parts.train)
  assert splits.split(source) is parts


def test_the_held_out_share_is_the_declared_one(monkeypatch, tmp_path):
  lines = "".join(f"question {i}\tanswer {i}\n" for i in range(4000))
  (tmp_path / "f.tsv").write_text(lines, encoding="utf-8")
  base = spec_of({"tsv": "f.tsv", "columns": ["question", "answer"]})
  for percent in (0.0, 5.0, 100.0):
    source = sources.open_source(dataclasses.replace(base, held_out_percent=percent), tmp_path)
    # Four standard deviations of a binomial: 4 * sqrt(0.05 * 0.95 / 4000) = 1.4 percent points.
    assert abs(100 * len(splits.split(source).held_out) / 4000 - percent) < 1.4


def test_a_question_with_several_answers_stands_on_one_side(tmp_path):
  rows = [{"question": f"q{i % 50}?", "answer": f"a{i}"} for i in range(200)]
  (tmp_path / "f.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
  spec = dataclasses.replace(spec_of({"jsonl": "f.jsonl"}), type="closed_book_qa", held_out_percent=30.0)
  source = sources.open_source(spec, tmp_path)
  parts = splits.split(source)
  asked = [{source[i].fields["question"] for i in side.tolist()} for side in (parts.train, parts.held_out)]
  assert asked[0].isdisjoint(asked[1])
  assert min(map(len, asked)) > 5


def test_no_copy_under_another_number_straddles_the_split_of_promptsources_templates(tmp_path):
  template = {"name": "ask", "jinja": "{{ q }} ||| {{ a }}"}
  (tmp_path / "t.yaml").write_text(json.dumps({"dataset": "d", "templates": {"1": template}}), "utf-8")
  rows = [{"idx": i, "pairID": f"{i}a", "q": f"what is {i % 100}?", "a": str(i % 100)} for i in range(300)]
  (tmp_path / "f.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
  spec = spec_of({"promptsource": "t.yaml", "template": "ask", "rows": {"jsonl": "f.jsonl"}})
  source = sources.open_source(
    dataclasses.replace(spec, type="prompted", fields=ANSWER, held_out_percent=30.0), tmp_path
  )
  parts = splits.split(source)
  asked = [{source[i].fields["input"] for i in side.tolist()} for side in (parts.train, parts.held_out)]
  assert asked[0].isdisjoint(asked[1])
  assert len(asked[0] | asked[1]) == 100
  assert min(map(len, asked)) > 10


@pytest.mark.parametrize("evaluation_only", [False, True])
def test_what_the_publisher_solves_in_prompts_is_never_held_out(tmp_path, evaluation_only):
  instances = [{"id": f"t-{i}", "input": f"question {i % 100} ", "output": [f"{i}"]} for i in range(200)]
  solved, wrong = ([{"input": f"question {i}", "output": "x"} for i in range(at, 100, 4)] for at in (0, 1))
  file = {"Definition": ["Answer."], "Positive Examples": solved, "Negative Examples": wrong, "Instances": instances}
  (tmp_path / "t.json").write_text(json.dumps(file), "utf-8")
  spec = spec_of({"natural_instructions": "t.json"})
  spec = dataclasses.replace(spec, type="natural_instruction", fields=ANSWER, held_out_percent=40.0)
  spec = dataclasses.replace(spec, evaluation_only=evaluation_only)
  source = sources.open_source(spec, tmp_path)
  held_out = {source[i].fields["input"] for i in splits.split(source).held_out}
  shown = {example.fields["input"] for example in (*source.exemplars, *source.negatives)}
  assert len(shown) == 50
  assert held_out == {f"question {i}" for i in range(100)} if evaluation_only else held_out.isdisjoint(shown)
  assert len(held_out) > 8
  assert rendering.shaping_content(source)["published"]  # so that no store of another split stands for this one


def test_what_is_held_out_of_a_task_is_held_out_of_the_one_that_asks_the_other_way_round(tmp_path, monkeypatch):
  (tmp_path / "c").mkdir()
  (tmp_path / "c" / "tasks.yaml").write_text(
    "- {name: facts, reader: {jsonl: f.jsonl}, type: nli, cluster: c, choices: [yes, no], held_out_percent: 30}",
    "utf-8",
  )
  # Copies stand on one side in both; a record without a premise is no example of either.
  rows = [{"premise": f"p{i}" if i % 7 else "", "hypothesis": f"h{i % 90}", "answer": "yes"} for i in range(200)]
  (tmp_path / "f.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(tmp_path))
  task, turned = (
    sources.open_source(specs.get_task(name, tmp_path), tmp_path) for name in ("c.facts", "c.facts_inverted")
  )
  held_out = [{source[i].id for i in splits.split(source).held_out} for source in (task, turned)]
  assert held_out[0] == held_out[1]
  assert 20 < len(held_out[0]) < 90
