"""Another instruction changes the instruction and nothing else; the other one of an example is asked in its wording."""

import collections
import dataclasses
import json
import shutil

import pytest

from flan_jax import errors
from flan_jax.data import formats, instructions, mixtures, prepare, rendering, sources, specs, vocabularies

FORMATS = tuple((name, 1) for name, form in formats.FORMATS.items() if form.trained)
ASKS = {
  "backward": ("say it backward", "turn it round", lambda words: words[::-1]),
  "first": ("name the first", "say what comes first", lambda words: words[:1]),
  "count": ("count the words", "say how many there are", lambda words: [str(len(words))]),
}
TASKS = """
- name: "{task}"
  for_each: {task: [backward, first, count]}
  reader: {jsonl: "{task}.jsonl"}
  type: do
  option_target: text
  cluster: "{task}"
  inverted: false
  held_out_percent: 20
"""
MIXTURES = "- {name: desk, tasks: [desk.*], formats: {zero_shot: 2, few_shot: 1, cot: 1}, shots: [1, 2]}\n"


def record(task: str, number: int) -> dict[str, object]:
  """A text of the desk's under one of a task's two phrasings; of three in four the other is another task's."""
  words = [f"w{number}{letter}" for letter in "abc"[: 2 + number % 2]]
  *phrasings, does = ASKS[task]
  made = {"text": " ".join(words), "ask": phrasings[number % 2], "answer": " ".join(does(words))}
  made |= {"rationale": f"The words are {made['text']}.", "choices": [made["answer"], "none"]}
  if number % 4:
    other, _, does_other = ASKS["first" if task == "count" else "count"]
    made |= {"other_ask": other, "other_answer": " ".join(does_other(words))}
  return made


@pytest.fixture(scope="module")
def desk_files(tmp_path_factory):
  root = tmp_path_factory.mktemp("desks")
  (root / "desk").mkdir()
  (root / "desk" / "tasks.yaml").write_text(TASKS, encoding="utf-8")
  (root / "desk" / "mixtures.yaml").write_text(MIXTURES, encoding="utf-8")
  for task in ASKS:
    lines = "".join(f"{json.dumps(record(task, number))}\n" for number in range(60))
    (root / f"{task}.jsonl").write_text(lines, encoding="utf-8")
  return root


@pytest.fixture
def desk(desk_files, monkeypatch):
  """A collection of three tasks of the type `do`; also its data folder."""
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(desk_files))
  return desk_files


def renderer(desk, task="desk.backward", kind="given", **changes) -> rendering.Renderer:
  lenders = mixtures.get_mixture("desk(instructions='shuffled')", desk).parts[0].lenders if kind == "shuffled" else ()
  asked = {"formats": FORMATS, "shots": (1, 3)} | changes
  return rendering.Renderer(task, desk, instructions=kind, lenders=lenders, **asked)


def told_asks(prompt: str) -> set[str]:
  return {ask for *phrasings, _ in ASKS.values() for ask in phrasings if ask in prompt}


@pytest.mark.parametrize("kind", ["none", "shuffled"])
def test_of_all_that_is_drawn_only_the_instruction_changes(desk, kind):
  given, changed = renderer(desk), renderer(desk, kind=kind)
  for index in range(40):
    for variant in range(3):
      one, other = (each.render(each.source[index], variant) for each in (given, changed))
      assert (one.inputs == other.inputs) == (one.format == "few_shot_bare")
      alike = ("format", "targets", "shots", "exemplar_ids", "answer", "choices", "options_shown", "references")
      assert all(getattr(one, name) == getattr(other, name) for name in alike)
      assert kind == "none" or one.wording == other.wording


def test_without_instructions_a_prompt_is_the_text_and_its_options(desk):
  bare = renderer(desk, kind="none")
  heads = tuple(style.head for style in specs.option_styles())
  for index in range(40):
    for form, _ in FORMATS:
      made = bare.render(bare.source[index], format=form, shots=1)
      assert not told_asks(made.inputs)
      assert bare.source[index].fields["text"] in made.inputs
      if form in ("zero_shot", "cot"):
        assert made.inputs == bare.source[index].fields["text"] or made.inputs.split("\n")[1] in heads


def test_shuffled_instructions_are_those_of_the_other_tasks_evenly_and_one_a_prompt(desk):
  shuffled, counts = renderer(desk, kind="shuffled"), collections.Counter()
  for index in range(60):
    for variant in range(5):
      (ask,) = told_asks(shuffled.render(shuffled.source[index], variant, format="few_shot", shots=3).inputs)
      counts[ask] += 1
  assert set(counts) == {ask for task in ("first", "count") for ask in ASKS[task][:2]}
  # 300 draws of four equally likely asks: four standard deviations are 30.
  assert all(abs(count - 75) < 30 for count in counts.values())


def test_who_has_nobody_to_borrow_from_is_told(desk):
  with pytest.raises(errors.UsageError, match="of type do: no other task of the mixture has that type"):
    mixtures.get_mixture("desk.first(instructions='shuffled')", desk)


@pytest.mark.parametrize("kind", formats.INSTRUCTIONS)
def test_the_demo_can_be_trained_on_whatever_becomes_of_its_instructions(kind):
  (part,) = mixtures.get_mixture(f"demo(instructions='{kind}')").parts
  assert part.tasks == mixtures.get_mixture("demo").tasks
  assert part.lenders == (part.tasks if kind == "shuffled" else ())
  for task in part.tasks[::60]:
    asked = rendering.Renderer(task, None, 0, *part.manner)
    assert asked.render(asked.source[0]).targets


def test_a_type_that_does_not_tell_its_fields_from_the_instruction_is_refused(toy):
  with pytest.raises(errors.UsageError, match="type toy_choice cannot be asked so: it has no `bare`"):
    mixtures.get_mixture("toy.capitals(instructions='none')", toy.data_dir)


def test_lenders_are_the_mixtures_tasks_whatever_is_left_of_it(desk):
  mixture = mixtures.get_mixture("desk(instructions='shuffled', without=['count'])", desk)
  assert mixture.parts[0].lenders == mixture.tasks == ("desk.backward", "desk.first")
  assert mixture.only(["desk.first"]).parts[0].lenders == mixture.tasks


def test_a_store_is_of_its_instructions_and_of_whoever_lends_them(desk, tmp_path):
  vocabulary = vocabularies.load_vocabulary("demo")
  common = {"data_dir": desk, "vocabulary": vocabulary, "lengths": {"inputs": 512, "targets": 512}}

  def folders(name: str) -> list[str]:
    jobs = prepare.jobs_of(mixtures.get_mixture(name, desk), store_dir=tmp_path, **common)
    return [job.final.name for job in jobs]

  names = ["desk", "desk(instructions='none')", "desk(instructions='shuffled')"]
  fewer = "desk(instructions='shuffled', without=['count'])"
  keys = [folders(name)[0] for name in (*names, fewer)]
  assert len(set(keys)) == 4
  assert folders("desk(instructions='given')") == folders("desk")
  stores = prepare.prepare(mixtures.get_mixture(names[2], desk), store_dir=tmp_path, processes=1, **common)
  assert [len(store) for store in stores] == [len(renderer(desk, store.task).splits.train) for store in stores]


def test_a_swapped_example_is_asked_in_the_same_wording(desk):
  own = renderer(desk)
  for index in range(40):
    example = own.source[index]
    assert own.can_swap(example) == bool(index % 4)
    if not index % 4:
      with pytest.raises(errors.UsageError, match="it has no other instruction"):
        own.render(example, swapped=True)
      continue
    for form in ("zero_shot", "few_shot", "continuation", "bare"):
      one, other = (own.render(example, format=form, shots=2, swapped=swapped) for swapped in (False, True))
      assert one.wording == other.wording
      assert (one.answer, other.answer) == (example.fields["answer"], example.fields["other_answer"])
      assert other.choices == ()  # those of the first instruction do not hold the other answer
      assert told_asks(other.inputs) == ({"count the words"} if form != "bare" else set())
      assert other.references == (other.answer,)


def test_options_stay_where_they_hold_the_other_answer():
  fields = {"text": "t", "answer": "yes", "choices": ["yes", "no"], "references": ["yes", "yea"], "rationale": "so"}
  assert instructions.swapped({**fields, "other_answer": "no"}) == {
    "text": "t", "answer": "no", "choices": ["yes", "no"]
  }  # fmt: skip
  other = instructions.swapped({**fields, "other_answer": "7", "other_choices": ["7", "8"], "other_rationale": "thus"})
  assert other == {"text": "t", "answer": "7", "choices": ["7", "8"], "rationale": "thus"}


def test_a_phrasing_makes_no_other_question_and_the_other_fields_no_other_example(desk):
  own = renderer(desk)
  example = own.source[1]
  again = {**example.fields, "ask": "turn it round", "other_ask": "name the first", "other_answer": "w1a"}
  assert own._question(example) == own._question(rendering.sources.Example("x", again))


def test_what_is_never_trained_on_lists_no_options(desk):
  always = renderer(desk, options="always")
  for index in range(20):
    example = always.source[index]
    assert always.render(example, format="zero_shot").options_shown
    continued, bare = (always.render(example, format=form) for form in ("continuation", "bare"))
    assert bare.inputs == example.fields["text"]
    assert not continued.options_shown
    assert not continued.inputs.endswith((".", "\n"))
    assert all(example.fields[name] in continued.inputs for name in ("text", "ask"))
    assert bare.choices == continued.choices == tuple(example.fields["choices"])


def test_what_is_never_trained_on_stands_in_no_mixture(desk_files, tmp_path, monkeypatch):
  shutil.copytree(desk_files / "desk", tmp_path / "desk")
  told = MIXTURES.replace("{zero_shot: 2", "{continuation: 2")
  (tmp_path / "desk" / "mixtures.yaml").write_text(told, encoding="utf-8")
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(tmp_path))
  with pytest.raises(errors.FlanJaxError, match="mixture 'desk': prompts in the format continuation are never"):
    mixtures.get_mixture("desk", desk_files)


def test_a_store_tells_what_a_type_calls_its_instruction(monkeypatch):
  source = sources.open_source(specs.get_task("demo.step_reverse"), None)
  told = rendering.shaping_content(source)
  kind = specs.get_type("do")
  monkeypatch.setattr(specs, "get_type", lambda name: dataclasses.replace(kind, instruction=()))
  assert rendering.shaping_content(source) != told
  assert "instruction" not in rendering.shaping_content(source)["type"]
