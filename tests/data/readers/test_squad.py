"""SQuAD's JSON: a row a question, whatever the nesting; what is malformed is told with its line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data.readers import squad

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
answers = st.lists(texts, max_size=2)
paragraphs = st.tuples(texts, st.lists(st.tuples(texts.map("id {}".format), texts, answers), max_size=3))
articles = st.lists(st.tuples(texts, st.lists(paragraphs, max_size=2)), max_size=3)


def written(folder, value, indent=None) -> squad.SquadRows:
  (folder / "f.json").write_text(json.dumps(value, indent=indent), encoding="utf-8")
  return squad.open_squad({"squad": "f.json"}, folder)


def question(identifier="q1", asked="Who?", texts=("Ada",)) -> dict:
  return {"question": asked, "id": identifier, "answers": [{"text": text, "answer_start": 0} for text in texts]}


@settings(max_examples=60, deadline=None)
@given(articles=articles, indent=st.sampled_from([None, 1]))
def test_a_row_a_question(tmp_path_factory, articles, indent):
  data = [
    {"title": t, "paragraphs": [{"qas": [question(*one) for one in asked], "context": c} for c, asked in inner]}
    for t, inner in articles
  ]
  rows = written(tmp_path_factory.mktemp("squad"), {"version": "2.0", "data": data}, indent)
  expected = [
    {"id": i, "title": t, "context": c, "question": q, "answers": a}
    for t, inner in articles
    for c, asked in inner
    for i, q, a in asked
  ]
  assert [rows.read(row) for row in range(len(rows))] == expected
  assert [rows.read(row) for row in reversed(range(len(rows)))] == expected[::-1]
  assert [rows.id(row) for row in range(len(rows))] == [str(row) for row in range(len(expected))]


def test_tydiqa_tells_the_language(tmp_path):
  asked = [question("swahili--82-4"), question("5726-swahili"), question("klingon-1")]
  rows = written(tmp_path, {"data": [{"paragraphs": [{"context": "c", "qas": asked}]}]})
  assert rows.read(0)["language"] == "Swahili"
  assert rows.read(0)["title"] == ""
  assert not any("language" in rows.read(row) for row in (1, 2))


@pytest.mark.parametrize(
  ("value", "reason"),
  [
    ([], "f.json:1: a JSON object was expected, not an array"),
    ({"rows": []}, "f.json:1: SQuAD's 'data' is not here; the keys are rows"),
    ({"data": [{"title": "t"}]}, "f.json:3: SQuAD's 'paragraphs' is not here"),
    ({"data": [{"paragraphs": [3]}]}, "f.json:5: a JSON object was expected, not a single value"),
    ({"data": [{"paragraphs": [{"qas": []}]}]}, "f.json:5: SQuAD's 'context' is not here"),
  ],
)
def test_another_file_is_told(tmp_path, value, reason):
  with pytest.raises(errors.FlanJaxError) as caught:
    len(written(tmp_path, value, indent=1))
  assert reason in str(caught.value)


@pytest.mark.parametrize(
  ("asked", "context", "reason"),
  [
    ([], "c", "a question is list, not a JSON object"),
    ({"id": "1", "question": "q"}, "c", "the question has no 'answers'"),
    ({"id": "1", "question": 2, "answers": []}, "c", "the question's 'question' is int"),
    ({"id": "1", "question": "q", "answers": ["Ada"]}, "c", "an answer has no 'text'"),
    (question(), ["c"], "the title or context is list, not text"),
  ],
)
def test_a_malformed_question_is_told(tmp_path, asked, context, reason):
  rows = written(tmp_path, {"data": [{"paragraphs": [{"context": context, "qas": [asked]}]}]}, indent=1)
  with pytest.raises(ValueError, match=reason):
    rows.read(0)
  assert rows.place(0).startswith(f"{tmp_path}/f.json:")


def test_the_shared_samples(shared_data):
  counts = {}
  for path in sorted((shared_data / "tydiqa").glob("*_tydiqa_dev.json")):
    rows = squad.open_squad({"squad": path.name}, path.parent)
    read = [rows.read(row) for row in range(len(rows))]
    assert all(record["answers"] and record["answers"][0] in record["context"] for record in read)
    counts.update({record["language"]: len(read) for record in read})
  assert counts == {"English": 440, "Korean": 276, "Swahili": 499}
