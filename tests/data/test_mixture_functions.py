"""Mixtures made of mixtures by arguments: one spelling each, nested choices, and what is refused."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flan_jax import configuration, errors
from flan_jax.data import formats, mixture_functions, mixtures, rendering
from flan_jax.data.mixture_functions import asked, parse

quietly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
TEXTS = st.lists(st.text(min_size=1, max_size=8), max_size=3)
SEEDS = st.integers(0, 50)
SHARES = st.integers(0, 1000).map(lambda n: n / 1000)
ARGUMENTS = st.fixed_dictionaries(
  {},
  optional={
    "tasks": st.integers(1, 2000),
    "max_per_task": st.integers(1, 10**6),
    "cot": st.booleans(),
    "few_shot": st.booleans() | SHARES,
    "parts": st.lists(st.text(min_size=1, max_size=8), max_size=3, unique=True),
    "without": TEXTS,
    "licences": TEXTS,
    "instructions": st.sampled_from(formats.INSTRUCTIONS),
  },
)


@given(base=st.from_regex(r"[a-z_0-9.]+", fullmatch=True), arguments=ARGUMENTS, seed=st.none() | st.integers(0, 99))
def test_a_name_that_is_written_and_read_is_the_same(base, arguments, seed):
  name = asked(base, **arguments, seed=seed if "tasks" in arguments else None)
  assert parse(str(name)) == name
  assert str(parse(str(name))) == str(name)
  assert ("(" in str(name)) == (name != asked(base))


def test_a_share_of_exemplars_has_one_spelling_too():
  spellings = {"False": ["False", "0", "0.0", "-0.0"], "0.1": ["0.1", "0.10", "1e-1"], "1.0": ["1", "1.0"]}
  for one, ways in spellings.items():
    assert {str(parse(f"m(few_shot={way})")) for way in ways} == {f"m(few_shot={one})"}
  assert str(parse("m(few_shot=True)")) == "m"  # as the mixture has it, which is not all of them
  assert parse("m(few_shot=1)") != parse("m(few_shot=True)")
  assert mixture_functions.mixture("m", few_shot=1, parts=("b", "a")) == "m(parts=['b', 'a'], few_shot=1.0)"


@given(arguments=ARGUMENTS, data=st.data())
def test_the_order_of_arguments_and_names_does_not_matter(arguments, data):
  order = data.draw(st.permutations(list(arguments)))
  unordered = {
    name: data.draw(st.permutations(arguments[name])) for name in ("without", "licences") if name in arguments
  }
  shuffled = {name: {**arguments, **unordered}[name] for name in order}
  written = f" m ( {' , '.join(f'{name} = {value!r}' for name, value in shuffled.items())} ) "
  assert parse(written) == asked("m", **arguments)


def test_gin_gives_the_same_spelling():
  assert mixture_functions.mixture("m", cot=False, tasks=3) == "m(tasks=3, cot=False)"
  assert parse("m(without='a')") == parse("m(without=['a', 'a'])")


@pytest.mark.parametrize(
  ("name", "told"),
  [
    ("everything(taks=3)", "no argument of mixture everything 'taks'. Nearest: tasks"),
    ("everything(3)", "NAME=VALUE|cannot be read"),
    ("everything(tasks=3", "no mixture or task"),
    ("everything(tasks=open('x'))", "cannot be read"),
    ("everything(**{'tasks': 3})", "no argument of mixture"),
    ("everything(tasks=3, tasks=4)", "cannot be read"),
    ("everything(tasks=0)", "tasks=0: it is a whole number above 0"),
    ("everything(tasks=True)", "tasks=True: it is a whole number"),
    ("everything(seed=3)", "seed=3: it is of the order in which tasks=k"),
    ("everything(cot=0)", "cot=0: it is True or False"),
    ("everything(few_shot=1.5)", "few_shot=1.5: it is True, False or a share from 0 to 1"),
    ("everything(few_shot=0.1234)", "at most three decimals"),
    ("everything(few_shot='all')", "it is True, False or a share"),
    ("breakfast(parts=['bred'])", "no part of mixture breakfast 'bred'. Nearest: bread"),
    ("breakfast(parts=['cot', 'cot'])", "none twice"),
    ("breakfast(parts=['sweets'], tasks=5)", "only 2 tasks are known here"),
    ("breakfast(parts=['cot'], cot=False)", "has no task"),
    ("everything(without=[3])", "it is a list of names of clusters"),
    ("everything(without=['bred'])", "no cluster of mixture everything 'bred'. Nearest: bread"),
    ("everything(tasks=7)", "only 6 tasks are known here"),
    ("everything(licences=['GPL*'])", "has no task"),
    ("everything(instructions='shuffle')", "instructions='shuffle': it is one of given, none, shuffled"),
    ("everything(instructions='shuffled')", "task bakery.rye of type shop_pair: its types.yaml does not say"),
    ("evrything(tasks=2)", "Nearest: everything"),
  ],
)
def test_what_cannot_be_is_told(shop, name, told):
  with pytest.raises(errors.UsageError, match=told):
    mixtures.get_mixture(name)


def test_brackets_behind_brackets_are_refused():
  with pytest.raises(errors.UsageError, match="one pair of brackets"):
    mixture_functions.parse("flan2021(without=['sentiment'])(tasks=3)")


@given(text=st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
  try:
    parse(text)
  except errors.UsageError as error:
    told = str(error)
  else:
    return
  assert told.startswith(("mixture ", "no argument of mixture "))


@quietly
@given(seed=st.none() | st.integers(0, 50), base=st.sampled_from(["everything", "breakfast", "demo"]))
def test_k_tasks_are_among_those_of_more(shop, seed, base):
  whole = mixtures.get_mixture(base)
  suffix = "" if seed is None else f", seed={seed}"
  chosen = [mixtures.get_mixture(f"{base}(tasks={k}{suffix})").tasks for k in range(1, min(9, len(whole.tasks)) + 1)]
  for k, tasks in enumerate(chosen, start=1):
    assert len(tasks) == k
    assert list(tasks) == [task for task in whole.tasks if task in tasks]  # in the mixture's order
  assert all(set(few) < set(more) for few, more in itertools.pairwise(chosen))
  if seed is None:
    assert chosen[-1] == whole.tasks[: len(chosen[-1])]


def test_tasks_come_part_after_part(shop):
  parts = mixtures.get_mixture("breakfast(tasks=5)").parts
  assert [(part.name, len(part.tasks), part.share) for part in parts] == [("bread", 4, 50), ("sweets", 1, 30)]


PARTS = ("bread", "sweets", "cot")


@quietly
@given(parts=st.permutations(PARTS).flatmap(lambda p: st.integers(1, 3).map(lambda n: p[:n])), seed=st.none() | SEEDS)
def test_parts_are_taken_in_the_order_asked_and_shuffled_within_themselves(shop, parts, seed):
  of_part = {part.name: part.tasks for part in mixtures.get_mixture("breakfast").parts}
  whole = mixtures.get_mixture(f"breakfast(parts={parts})")
  assert [(part.name, part.tasks) for part in whole.parts] == [(name, of_part[name]) for name in parts]
  suffix = "" if seed is None else f", seed={seed}"
  count = len(whole.tasks)
  chosen = [mixtures.get_mixture(f"breakfast(parts={parts}, tasks={k}{suffix})") for k in range(1, count + 1)]
  assert all(set(few.tasks) < set(more.tasks) for few, more in itertools.pairwise(chosen))
  done = 0
  for name in parts:  # all of a part, whatever the seed, before the first of the next one
    done += len(of_part[name])
    assert [part.name for part in chosen[done - 1].parts] == list(parts[: parts.index(name) + 1])
    assert chosen[done - 1].part_of(of_part[name][0]).tasks == of_part[name]


@quietly
@given(parts=st.permutations(PARTS), seed=SEEDS)
def test_what_is_sampled_of_a_part_does_not_depend_on_the_other_parts(shop, parts, seed):
  alone = mixtures.get_mixture(f"breakfast(parts={parts[-1:]}, tasks=1, seed={seed})").tasks
  before = len(mixtures.get_mixture(f"breakfast(parts={parts[:-1]})").tasks)
  assert mixtures.get_mixture(f"breakfast(parts={parts}, tasks={before + 1}, seed={seed})").parts[-1].tasks == alone


@quietly
@given(arguments=ARGUMENTS.map(lambda a: {k: v for k, v in a.items() if k in ("cot", "max_per_task")}))
def test_formats_and_limits_are_as_asked(shop, arguments):
  base = mixtures.get_mixture("everything")
  mixture = mixtures.get_mixture(str(asked("everything", **arguments)))
  assert mixture.tasks == base.tasks
  assert mixture.max_per_task == min(20, arguments.get("max_per_task", 20))
  left = [formats.get_format(name) for part in mixture.parts for name, _ in part.formats]
  assert left
  for form in formats.FORMATS.values():
    assert (form in left) == (form.trained and (arguments.get("cot", True) or not form.rationale))


@quietly
@given(share=st.just(False) | SHARES, cot=st.booleans(), base=st.sampled_from(["everything", "breakfast", "demo"]))
def test_exemplars_have_their_share_of_the_prompts_that_reason_and_of_those_that_do_not(shop, share, cot, base):
  before = mixtures.get_mixture(f"{base}(cot={cot})")
  after = mixtures.get_mixture(f"{base}(cot={cot}, few_shot={share})")
  assert after.tasks == before.tasks
  exact = Fraction(str(float(share)))
  for was, part in zip(before.parts, after.parts, strict=True):
    weights, old = dict(part.formats), dict(was.formats)
    assert all(isinstance(weight, int) and weight > 0 for weight in weights.values())
    assert math.gcd(*weights.values()) == 1
    for reasons in (False, True):
      of_kind = {name: w for name, w in weights.items() if formats.get_format(name).rationale == reasons}
      few = {name: weight for name, weight in of_kind.items() if formats.get_format(name).few_shot}
      total = sum(of_kind.values())
      assert sum(few.values()) == exact * total
      # How many reason stays, and so does how often one few-shot format comes beside another.
      old_total = sum(w for name, w in old.items() if formats.get_format(name).rationale == reasons)
      assert Fraction(total, sum(weights.values())) == Fraction(old_total, sum(old.values()))
      common = [name for name in few if name in old]
      assert all(few[a] * old[b] == few[b] * old[a] for a in common for b in common)


def test_a_share_is_realised_in_what_is_rendered():
  weights = mixtures.get_mixture("demo(few_shot=0.25)").parts[0].formats
  assert weights == (("zero_shot", 6), ("few_shot", 2), ("cot", 3), ("few_shot_cot", 1))
  renderer = rendering.Renderer("demo.chain_reverse_first", formats=weights)
  drawn = [formats.get_format(renderer.render(renderer.source[i]).format) for i in range(400)]
  # Binomial: standard deviations of 400 draws are 8.7 and 9.4, so four of them.
  assert abs(sum(form.few_shot for form in drawn) - 100) < 35
  assert abs(sum(form.rationale for form in drawn) - 133) < 38


def test_without_cot_the_part_of_that_name_is_gone(shop):
  assert [part.name for part in mixtures.get_mixture("breakfast(cot=False)").parts] == ["bread", "sweets"]
  with pytest.raises(errors.UsageError, match="has no task"):
    mixtures.get_mixture("cot(cot=False)")


def test_related_clusters_leave_together_over_collections(shop):
  rest = ("bakery.bun", "bakery.pie")
  for name in ("bread", "bakery.bread", "grain", "loaves"):
    assert mixtures.get_mixture(f"everything(without=['{name}'])").tasks == rest
  assert mixtures.get_mixture("everything(without=['drinks'])").tasks == (
    "bakery.rye", "bakery.oat", *rest, "farm.corn"
  )  # being related goes one way  # fmt: skip


@pytest.mark.parametrize(
  ("patterns", "tasks"),
  [
    (["mit"], ["bakery.rye", "farm.corn"]),
    (["CC?BY*"], ["bakery.oat", "farm.milk"]),
    (["*"], ["bakery.rye", "bakery.oat", "farm.milk", "farm.corn"]),  # an unknown licence allows nothing
    (["MIT", "cc by*"], ["bakery.rye", "bakery.oat", "farm.corn"]),
  ],
)
def test_licences_are_patterns(shop, patterns, tasks):
  assert list(mixtures.get_mixture(f"everything(licences={patterns})").tasks) == tasks


def test_a_task_takes_arguments_too(shop):
  mixture = mixtures.get_mixture("bakery.rye(max_per_task=3, few_shot=False)")
  assert (mixture.tasks, mixture.max_per_task) == (("bakery.rye",), 3)
  assert [name for name, _ in mixture.parts[0].formats] == ["zero_shot", "cot"]


def test_gin_files_of_mixtures_name_mixtures_and_their_arguments_are_bindings():
  for name in configuration.config_names("mixtures"):
    lines = configuration.lines(
      "t5_demo",
      gin_files=["gin_configs/runs/finetune.gin", f"gin_configs/mixtures/{name}.gin"],
      bindings=["mixture.tasks=3", "mixture.cot=False", "TRAIN_STEPS=1", "MODEL_DIR=m"],
    )
    configuration.parse(lines)
    built = configuration.build()
    assert built.mixture_or_task_name == f"{name}(tasks=3, cot=False)"
    configuration.parse(configuration.gin_text(built).splitlines())
    assert configuration.build() == built
  assert name in mixtures.mixture_names() or name not in ("cot",)
