"""Every choice is a hash of what it is for; exemplars are honest; a golden render of each format."""

import dataclasses
import itertools
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data import formats, option_lists, rendering, sources, specs, splits

# What toy.capitals has wordings for.
ALL = sorted(name for name, form in formats.FORMATS.items() if form.trained and form.instructed)


def renderer_of(toy, task="toy.capitals", **changes) -> rendering.Renderer:
  return rendering.Renderer(task, toy.data_dir, **changes)


@pytest.mark.parametrize("form", ALL)
def test_a_render_depends_on_its_key_alone(toy, form):
  one, other = renderer_of(toy), renderer_of(toy)
  alone = other.render(other.source[17], 3, format=form)
  among = [one.render(one.source[i], v, format=form) for i in range(20) for v in range(5)]
  assert among[17 * 5 + 3] == alone


def test_seeds_and_variants_draw_anew(toy):
  prompts = {renderer_of(toy, seed=s).render(renderer_of(toy).source[0], v).inputs for s in range(4) for v in range(4)}
  assert len(prompts) > 8


def test_formats_are_drawn_by_weight(toy):
  renderer = renderer_of(toy, formats=(("zero_shot", 3), ("few_shot_cot", 1)))
  drawn = [renderer.render(renderer.source[i], v).format for i in range(50) for v in range(20)]
  # 1,000 draws at 1/4: four standard deviations are 4 * sqrt(1000 * 3/16) = 55.
  assert abs(drawn.count("few_shot_cot") - 250) < 55
  assert set(drawn) == {"zero_shot", "few_shot_cot"}


def test_every_wording_is_drawn(toy):
  renderer = renderer_of(toy)
  drawn = {renderer.render(renderer.source[i], format="zero_shot").wording for i in range(60)}
  assert drawn == {w.id for w in renderer.type.wordings["zero_shot"]}


@settings(max_examples=60, deadline=None)
@given(index=st.integers(0, 59), variant=st.integers(0, 9), shots=st.integers(0, 8), reasoned=st.booleans())
def test_exemplars_are_other_training_examples_and_prefix_stable(toy_files, index, variant, shots, reasoned):
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("FLAN_JAX_COLLECTIONS", str(toy_files.collection.parent))
    renderer = renderer_of(toy_files)
  source, parts = renderer.source, renderer.splits
  ids = {source[i].id: i for i in range(len(source))}
  form = "few_shot_cot" if reasoned else "few_shot"
  rendered = renderer.render(source[index], variant, format=form, shots=shots)
  chosen = [ids[i] for i in rendered.exemplar_ids]
  assert len(chosen) == rendered.shots == shots
  assert set(chosen) <= set(parts.train.tolist())
  assert len({parts.deciding[i] for i in [*chosen, index]}) == shots + 1
  more = renderer.render(source[index], variant, format=form, shots=shots + 1)
  assert more.exemplar_ids[:shots] == rendered.exemplar_ids
  assert (more.wording, more.targets) == (rendered.wording, rendered.targets)


def test_drawn_shots_stay_within_the_declared_numbers(toy):
  renderer = renderer_of(toy, shots=(1, 3))
  assert {renderer.render(renderer.source[i], format="few_shot").shots for i in range(60)} == {1, 2, 3}


def test_a_task_with_fewer_examples_than_shots_uses_all_of_them(toy):
  spec = dataclasses.replace(specs.get_task("toy.capitals"), held_out_percent=85.0)
  renderer = rendering.Renderer(spec, toy.data_dir)
  train = renderer.splits.train
  different = len(set(renderer.splits.deciding[train].tolist()))
  query = renderer.source[int(renderer.splits.held_out[0])]
  assert renderer.render(query, format="few_shot", shots=50).shots == different < 50


def test_options_are_shown_in_half_of_the_prompts_and_in_every_turn(toy):
  renderer = renderer_of(toy, "toy.parity")
  made = [renderer.render(renderer.source[i], v, format="few_shot", shots=2) for i in range(40) for v in range(10)]
  # 400 draws at 1/2: four standard deviations are 40.
  assert abs(sum(r.options_shown for r in made) - 200) < 40
  heads = tuple(style.head for style in specs.option_styles())
  for r in made:
    assert sum(r.inputs.count(f"\n{head}\n") for head in set(heads)) == (3 if r.options_shown else 0)
    assert r.answer in r.choices == ("yes", "no")
    assert r.targets == r.answer


@pytest.mark.parametrize(("shown", "blocks", "told"), [("always", 1, True), ("in_question", 0, True)])
def test_a_spec_may_always_or_never_list_its_options(toy, shown, blocks, told):
  spec = dataclasses.replace(specs.get_task("toy.parity"), show_options=shown)
  renderer = rendering.Renderer(spec, toy.data_dir)
  for i in range(20):
    made = renderer.render(renderer.source[i], format="zero_shot")
    assert made.options_shown == told
    assert ("\n" in made.inputs.removesuffix("\nAnswer:")) == bool(blocks)


def test_a_target_is_a_marker_only_where_the_list_says_so(toy):
  spec = dataclasses.replace(specs.get_task("toy.parity"), show_options="always", option_target="drawn")
  renderer, letters, texts = rendering.Renderer(spec, toy.data_dir), 0, 0
  requests = {style.request: style for style in specs.option_styles() if style.request}
  for i, variant in itertools.product(range(len(renderer.source)), range(5)):
    example = renderer.source[i]
    made = renderer.render(example, variant, format="few_shot")
    style = next((style for request, style in requests.items() if request in made.inputs), None)
    if style is None:
      texts += made.targets == example.fields["label"]
      continue
    letters += 1
    marker = made.targets.strip("()")
    assert made.targets in made.choices
    assert style.line.format(marker=marker, text=example.fields["label"]) in made.inputs.rpartition(style.head)[2]
    assert made.inputs.count(style.request) == 1 + made.shots  # every exemplar has it, and answers so
  assert min(letters, texts) > 30
  assert letters + texts == 5 * len(renderer.source)


def test_a_marker_that_cannot_be_gives_way_to_the_text(toy):
  assert option_lists.styles("marker", 40, True) == option_lists.styles("marker", 3, False)
  assert all(not style.markers for style in option_lists.styles("marker", 40, True))
  drawn = option_lists.styles("drawn", 4, True)
  assert all(bool(style.markers) == bool(style.answer) for style in drawn)  # what bears a marker asks for it


def test_more_than_26_options_are_listed_without_markers_and_whole(tmp_path, monkeypatch):
  (tmp_path / "many").mkdir()
  (tmp_path / "many" / "tasks.yaml").write_text(
    "- {name: t, reader: {jsonl: t.jsonl}, type: topic, cluster: c, show_options: always, held_out_percent: 0}"
  )
  options = [f"topic {i}" for i in range(40)]
  rows = [{"text": f"text {i}", "answer": options[i], "choices": options} for i in range(40)]
  (tmp_path / "t.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(tmp_path))
  renderer = rendering.Renderer("many.t", tmp_path)
  for i in range(40):
    made = renderer.render(renderer.source[i], format="zero_shot")
    assert made.targets == options[i]
    assert re.findall(r"^[-*] (topic \d+)$", made.inputs, re.MULTILINE) == options


def test_published_exemplars_and_negatives_are_used_and_never_the_query(tmp_path, monkeypatch):
  (tmp_path / "ni").mkdir()
  (tmp_path / "ni" / "tasks.yaml").write_text(
    "- {name: t, reader: {natural_instructions: t.json}, type: natural_instruction, cluster: c,"
    " fields: {answer: output}, held_out_percent: 0}"
  )
  solved = [{"input": f"in {i}", "output": f"out {i}", "explanation": f"why {i}"} for i in range(4)]
  wrong = [{"input": "in x", "output": "bad", "explanation": "wrong since"}]
  # The first two are published exemplars as well; the second has another answer there.
  outputs = [[f"out {i}", f"other {i}"] if i != 1 else ["another", "third"] for i in range(60)]
  instances = [{"id": f"t-{i}", "input": f"in {i}", "output": outputs[i]} for i in range(60)]
  published = {"Positive Examples": solved, "Negative Examples": wrong, "Instances": instances}
  (tmp_path / "t.json").write_text(json.dumps({"Definition": ["Say it."], "Categories": ["c"], **published}))
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(tmp_path))
  renderer = rendering.Renderer("ni.t", tmp_path)
  negatives = 0
  for i, variant in itertools.product(range(60), range(4)):
    made = renderer.render(renderer.source[i], variant, format="few_shot", shots=2)
    assert made.shots == 2
    assert set(made.exemplar_ids) <= {f"exemplars/{n}" for n in range(4)} - {f"exemplars/{i}"}
    assert made.targets in made.references == tuple(outputs[i])
    assert len(re.findall(rf"in {i}\b", made.inputs)) == 1
    negatives += "wrong since" in made.inputs
  assert 0 < negatives < 240


def test_without_options_no_marker_is_a_target(toy):
  spec = dataclasses.replace(specs.get_task("toy.parity"), option_target="marker")
  renderer = rendering.Renderer(spec, toy.data_dir, options="never")
  made = [renderer.render(renderer.source[i], variant) for i in range(40) for variant in range(3)]
  assert {one.targets for one in made} == {"yes", "no"}
  assert not any(style.head in one.inputs for one in made for style in specs.option_styles())


def test_a_rationale_comes_first_and_a_closer_gives_the_answer(toy):
  renderer = renderer_of(toy)
  closers = {text.replace("{{ answer }}", "city 5") for text in specs.closers()}
  drawn = set()
  for variant in range(200):
    targets = renderer.render(renderer.source[5], variant, format="cot").targets
    assert targets.startswith("Land 5 is ruled from city 5. ")
    drawn.add(targets.removeprefix("Land 5 is ruled from city 5. "))
  assert drawn == closers


def test_an_example_without_rationale_gets_no_rationale_format(toy):
  renderer = renderer_of(toy, "toy.parity")
  assert {renderer.render(renderer.source[i]).format for i in range(40)} == {"zero_shot", "few_shot"}
  with pytest.raises(errors.UsageError, match="example 1: no rationale for the format cot"):
    renderer.render(renderer.source[0], format="cot")


def test_formats_that_a_type_lacks_are_passed_over_or_refused(toy):
  renderer = renderer_of(toy, "toy.echo_a")
  assert renderer.formats == ("zero_shot",)
  with pytest.raises(errors.UsageError, match="no wordings for few_shot; it has them for zero_shot"):
    renderer.render(renderer.source[0], format="few_shot")
  with pytest.raises(errors.UsageError, match="no wordings for cot, few_shot"):
    renderer_of(toy, "toy.echo_a", formats=(("cot", 1), ("few_shot", 2)))
  with pytest.raises(errors.UsageError, match=r"no format 'zeroshot'\. Nearest: zero_shot"):
    renderer_of(toy, formats=(("zeroshot", 1),))


def test_a_wording_that_does_not_fit_an_example_is_told(toy):
  renderer = renderer_of(toy)
  odd = sources.Example("odd", {"label": "x"})
  with pytest.raises(errors.FlanJaxError, match=r"task toy\.capitals, example odd: a wording of type toy_choice"):
    renderer.render(odd, format="zero_shot")


GOLDEN = {
  ("zero_shot", 1): ("Tell me: Capital of land 0?\nAnswer:", "city 0"),
  ("few_shot", 0): (
    "Q: {one}\nA: {one_answer}\n\nQ: {two}\nA: {two_answer}\n\nQ: Capital of land 0?\nA:",
    "city 0",
  ),
  ("few_shot", 1): (
    "Solved ones first.\n--\n{one} => {one_answer}\n--\n{two} => {two_answer}\n--\nCapital of land 0? =>",
    "city 0",
  ),
  ("cot", 0): ("Capital of land 0? Think first.", "Land 0 is ruled from city 0. {closer}"),
}


@pytest.mark.parametrize(("form", "number"), sorted(GOLDEN))
def test_a_prompt_reads_as_its_wording_says(toy, form, number):
  renderer = renderer_of(toy)
  made = (renderer.render(renderer.source[0], v, format=form, shots=2) for v in range(100))
  found = next(r for r in made if r.wording == f"toy_choice/{form}/{number}")
  numbers = [int(i) - 1 for i in found.exemplar_ids]
  words = {"closer": found.targets.removeprefix("Land 0 is ruled from city 0. ")}
  for name, i in zip(("one", "two"), numbers, strict=False):
    words |= {name: renderer.source[i].fields["question"], f"{name}_answer": renderer.source[i].fields["label"]}
  assert (found.inputs, found.targets) == tuple(text.format(**words) for text in GOLDEN[form, number])


def test_shaping_content_leaves_out_what_only_describes(toy):
  spec = specs.get_task("toy.parity")
  same = dataclasses.replace(spec, cap=3, licence="mine", cluster="elsewhere", tags=("a",))
  other = dataclasses.replace(spec, choices=("no", "yes"))
  shape, as_before, anew = (
    rendering.shaping_content(sources.open_source(each, toy.data_dir)) for each in (spec, same, other)
  )
  assert shape == as_before != anew


def test_copies_of_the_query_are_no_exemplars_of_it(toy):
  renderer = renderer_of(toy)
  assert renderer.source[10].fields == renderer.source[20].fields
  for variant in range(50):
    chosen = renderer.render(renderer.source[10], variant, format="few_shot", shots=20).exemplar_ids
    assert not {"11", "21"} & set(chosen)
  assert splits.content(renderer.source[10].fields) == int(renderer.splits.deciding[20])
