"""Mixtures made of mixtures by arguments: one spelling each, nested choices, and what is refused."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flan_jax import configuration, errors
from flan_jax.data import formats, mixture_functions, mixtures
from flan_jax.data.mixture_functions import asked, parse

quietly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
TEXTS = st.lists(st.text(min_size=1, max_size=8), max_size=3)
ARGUMENTS = st.fixed_dictionaries(
  {},
  optional={
    "tasks": st.integers(1, 2000),
    "max_per_task": st.integers(1, 10**6),
    "cot": st.booleans(),
    "few_shot": st.booleans(),
    "without": TEXTS,
    "licences": TEXTS,
  },
)


@given(base=st.from_regex(r"[a-z_0-9.]+", fullmatch=True), arguments=ARGUMENTS, seed=st.none() | st.integers(0, 99))
def test_a_name_that_is_written_and_read_is_the_same(base, arguments, seed):
  name = asked(base, **arguments, seed=seed if "tasks" in arguments else None)
  assert parse(str(name)) == name
  assert str(parse(str(name))) == str(name)
  assert ("(" in str(name)) == (name != asked(base))


@given(arguments=ARGUMENTS, data=st.data())
def test_the_order_of_arguments_and_names_does_not_matter(arguments, data):
  order = data.draw(st.permutations(list(arguments)))
  shuffled = {name: data.draw(st.permutations(v)) if isinstance(v := arguments[name], list) else v for name in order}
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
    ("everything(without=[3])", "it is a list of names of clusters"),
    ("everything(without=['bred'])", "no cluster of mixture everything 'bred'. Nearest: bread"),
    ("everything(tasks=7)", "only 6 tasks are known here"),
    ("everything(licences=['GPL*'])", "has no task"),
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


@quietly
@given(arguments=ARGUMENTS.map(lambda a: {k: v for k, v in a.items() if k in ("cot", "few_shot", "max_per_task")}))
def test_formats_and_limits_are_as_asked(shop, arguments):
  base = mixtures.get_mixture("everything")
  mixture = mixtures.get_mixture(str(asked("everything", **arguments)))
  assert mixture.tasks == base.tasks
  assert mixture.max_per_task == min(20, arguments.get("max_per_task", 20))
  left = [formats.get_format(name) for part in mixture.parts for name, _ in part.formats]
  assert left
  for form in formats.FORMATS.values():
    wanted = (arguments.get("cot", True) or not form.rationale) and (
      arguments.get("few_shot", True) or not form.few_shot
    )
    assert (form in left) == wanted


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
