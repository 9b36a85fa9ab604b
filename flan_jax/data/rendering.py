"""From an example to a prompt and its target; the same function for the store, for evaluation and for inspection.

Whatever is chosen (format, wording, exemplars, options, closer) is a hash of (seed, task, example id, variant): an
example renders the same on every machine, alone or among millions.
"""

import dataclasses
import functools
import pathlib
import string
from collections.abc import Iterator, Sequence

from flan_jax import draws, errors
from flan_jax.data import formats as formats_
from flan_jax.data import frames, mapping, option_lists, sources, specs, splits, templates
from flan_jax.data import instructions as instructions_

# Part of a store's key: raise it when the code below renders anything differently.
RENDERER_VERSION = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Rendered:
  """A prompt, its target and what made them.

  Attributes:
    inputs: the whole prompt.
    targets: what the model learns to say: the answer, or rationale and closer.
    wording: id of the wording, 'type/format/number'.
    shots: exemplars in the prompt (0 for zero-shot formats).
    exemplar_ids: their example ids, in the prompt's order.
    answer: the answer alone, as the target has it: where options are listed, it may be the option's marker.
    choices: the answer options, shown or not, written like `answer`; empty where the task has none.
    options_shown: whether the prompt lists them.
    references: all accepted answers, `answer` among them.
  """

  inputs: str
  targets: str
  task: str
  example_id: str
  wording: str
  format: str
  variant: int
  shots: int
  exemplar_ids: tuple[str, ...]
  answer: str
  choices: tuple[str, ...]
  options_shown: bool
  references: tuple[str, ...]


class Renderer:
  """Renders the examples of one task.

  Attributes:
    spec, type: the task and its type.
    source: its examples; `splits` tells which of them are for training.
    formats: names of the formats that it draws from (those asked for that the type has wordings for).
  """

  def __init__(
    self,
    task: str | specs.TaskSpec,
    data_dir: str | pathlib.Path | None = None,
    seed: int = 0,
    formats: Sequence[tuple[str, int]] = formats_.DEFAULT_FORMATS,
    shots: tuple[int, int] = formats_.DEFAULT_SHOTS,
    options: str = "drawn",
    instructions: str = "given",
    lenders: Sequence[str] = (),
    unseen_wordings: bool = False,
  ):
    """Compiles the wordings of the task's type and opens its source.

    Args:
      task: name or spec.
      data_dir: the user's data folder; None for generated tasks.
      seed: the render seed; another one means other draws for every example.
      formats: (name, weight); those that the type has no wordings for are passed over.
      shots: (fewest, most) exemplars of a few-shot prompt.
      options: one of formats.OPTIONS.
      instructions: one of formats.INSTRUCTIONS; whichever it is, all other draws are the same.
      lenders: the tasks whose instructions are shuffled.
      unseen_wordings: zero-shot prompts in the wordings that are kept for evaluation.

    Raises:
      UsageError: an unknown task or format, none of the formats is the type's, or it cannot be asked without or with
        another instruction.
      MissingDataError: the task's file is not there.
    """
    self.spec = specs.get_task(task, data_dir) if isinstance(task, str) else task
    self.type = specs.get_type(self.spec.type)
    self.source = sources.open_source(self.spec, data_dir)
    self._seed = seed
    self._shots = shots
    self._options = options
    self._target = templates.compiled(self.type.target)
    self._has_references = "answer" in templates.variables(self.type.target)
    self._asking = _asking(self.type)
    self._lenders = instructions_.Lenders(self.spec, lenders, data_dir) if instructions == "shuffled" else None
    self._closers = [templates.compiled(text) for text in specs.closers()]
    self._prompts = _compiled_prompts(self.type, unseen_wordings, instructions)
    drawn_from = [(formats_.get_format(name), weight) for name, weight in formats if weight > 0]
    drawn_from = [(form, weight) for form, weight in drawn_from if form.name in self._prompts]
    if not drawn_from:
      self._refuse([name for name, _ in formats])
    self.formats = tuple(form.name for form, _ in drawn_from)
    self._ballot = [form for form, weight in drawn_from for _ in range(weight)]
    self._plain_ballot = [form for form in self._ballot if not form.rationale]

  @functools.cached_property
  def splits(self) -> splits.Splits:
    """Which examples are for training and which are held out."""
    return splits.split(self.source)

  def renders(self, example: sources.Example) -> bool:
    """Whether one of the formats can be drawn for an example; all of them may want a rationale that it lacks."""
    return bool(self._plain_ballot) or "rationale" in example.fields

  def can_swap(self, example: sources.Example) -> bool:
    """Whether an example can be rendered `swapped`."""
    return instructions_.can_swap(example.fields, self.type)

  def answers(self, example: sources.Example) -> tuple[str, ...]:
    """All accepted answers of an example as texts, whatever marker an option may have in a prompt."""
    references = example.fields.get(mapping.REFERENCES, ()) if self._has_references else ()
    return tuple(references) or (self._target(example.fields).strip(),)

  def without_exemplars(self, format: str) -> str:
    """The format in which a few-shot prompt is asked that has lost all exemplars; itself where the type has no such."""
    plain = formats_.WITHOUT_EXEMPLARS.get(format, format)
    return plain if plain in self._prompts else format

  def render(
    self,
    example: sources.Example,
    variant: int = 0,
    *,
    format: str | None = None,
    shots: int | None = None,
    swapped: bool = False,
  ) -> Rendered:
    """The prompt and target of an example.

    Args:
      example: of this task; a training or a held-out one.
      variant: another number, another set of draws.
      format: this format instead of a drawn one.
      shots: so many exemplars instead of a drawn number; fewer shots are the first of more shots, all else being equal.
        The prompt has fewer where the task has not so many different training examples.
      swapped: under the example's other instruction, its exemplars under theirs; a format that is asked for has the
        wording of the render that is not swapped.

    Raises:
      UsageError: the type has no wordings for `format`, the example has no rationale for it, or no other instruction.
      FlanJaxError: a template does not fit the example's fields.
    """
    key = (self._seed, self.spec.name, example.id, variant)
    if swapped:
      example = self._swapped(example)
    form = self._format(example, key, format)
    try:
      return self._render(example, variant, form, shots, swapped, key)
    except templates.RENDER_ERRORS as error:
      raise errors.FlanJaxError(
        f"task {self.spec.name}, example {example.id}: a wording of type {self.type.name} does not fit it: {error}"
      ) from None

  def _render(
    self,
    example: sources.Example,
    variant: int,
    form: formats_.Format,
    shots: int | None,
    swapped: bool,
    key: tuple,
  ) -> Rendered:
    fields = self._told(example.fields, key)
    prompts = self._prompts[form.name]
    prompt = prompts[draws.draw(len(prompts), *key, "wording")]
    closer = self._closers[draws.draw(len(self._closers), *key, "closer")] if form.rationale else None
    references = tuple(fields.get(mapping.REFERENCES, ())) if self._has_references else ()
    if references:
      fields = {**fields, "answer": references[draws.draw(len(references), *key, "reference")]}
    answer = self._target(fields).strip()
    choices = tuple(fields.get("choices", ()))
    style = self._option_style(choices, answer, key) if form.listing else None
    exemplars = self._exemplars(example, form, style, shots, swapped, key) if form.few_shot else []
    parts = [head] if (head := prompt.head(fields).rstrip()) else []
    parts += [self._solved(prompt, self._told(exemplar.fields, key), style, closer) for exemplar in exemplars]
    if prompt.negative and (negative := self._negative(example, key)):
      parts.append(prompt.negative(negative.fields))
    parts.append(prompt.turn.render(fields, option_lists.block(style, choices)))
    written = option_lists.written(style, answer, choices)
    return Rendered(
      inputs=prompt.join.join(parts).strip(),
      targets=_reasoned(fields["rationale"], closer, written) if closer else written,
      task=self.spec.name,
      example_id=example.id,
      wording=prompt.id,
      format=form.name,
      variant=variant,
      shots=len(exemplars),
      exemplar_ids=tuple(exemplar.id for exemplar in exemplars),
      answer=written,
      choices=tuple(option_lists.written(style, choice, choices) for choice in choices),
      options_shown=style is not None or (bool(choices) and self.spec.show_options == "in_question"),
      references=references or (written,),
    )

  def _told(self, fields: sources.Fields, key: tuple) -> sources.Fields:
    """What a turn of the prompt says: under shuffled instructions all of its turns have the same borrowed one."""
    return self._lenders.instead(fields, *key) if self._lenders else fields

  def _swapped(self, example: sources.Example) -> sources.Example:
    if not self.can_swap(example):
      raise errors.UsageError(f"task {self.spec.name}, example {example.id}: it has no other instruction")
    return dataclasses.replace(example, fields=instructions_.swapped(example.fields))

  def _format(self, example: sources.Example, key: tuple, asked: str | None) -> formats_.Format:
    if asked is not None:
      form = formats_.get_format(asked)
      if asked not in self._prompts:
        self._refuse([asked])
    else:
      ballot = self._ballot if "rationale" in example.fields else self._plain_ballot
      form = ballot[draws.draw(len(ballot), *key, "format")] if ballot else self._ballot[0]
    if form.rationale and "rationale" not in example.fields:
      raise errors.UsageError(f"task {self.spec.name}, example {example.id}: no rationale for the format {form.name}")
    return form

  def _refuse(self, asked: list[str]) -> None:
    raise errors.UsageError(
      f"task {self.spec.name}: its type {self.type.name} has no wordings for {', '.join(asked)}; "
      f"it has them for {', '.join(self._prompts)}"
    )

  def _option_style(self, choices: tuple[str, ...], answer: str, key: tuple) -> specs.OptionStyle | None:
    """How this prompt lists options; None where it does not."""
    if not choices or self.spec.show_options == "in_question":
      return None
    shown = "always" if self.spec.show_options == "always" else self._options
    if shown == "never" or (shown == "drawn" and draws.draw(2, *key, "options") == 0):
      return None
    styles = option_lists.styles(self.spec.option_target, len(choices), answer in choices)
    return styles[draws.draw(len(styles), *key, "option_style")]

  def _exemplars(
    self,
    example: sources.Example,
    form: formats_.Format,
    style: specs.OptionStyle | None,
    shots: int | None,
    swapped: bool,
    key: tuple,
  ) -> list[sources.Example]:
    """Different solved examples, never the query, whatever their ids: they ask something else or answer differently."""
    fewest, most = self._shots
    wanted = fewest + draws.draw(most - fewest + 1, *key, "shots") if shots is None else shots
    taken = set(self._told_by(example))
    found = []
    if wanted <= 0:
      return found
    for candidate in self._candidates(example, wanted, key):
      if swapped:
        if not self.can_swap(candidate):
          continue
        candidate = self._swapped(candidate)
      told = self._told_by(candidate)
      if not taken.isdisjoint(told):
        continue
      taken.update(told)
      if (form.rationale and "rationale" not in candidate.fields) or not self._listable(style, candidate):
        continue
      found.append(candidate)
      if len(found) == wanted:
        break
    return found

  def _negative(self, example: sources.Example, key: tuple) -> sources.Example | None:
    """One of the publisher's wrongly solved examples; not of the query."""
    others = [one for one in self.source.negatives if self._question(one) != self._question(example)]
    return others[draws.draw(len(others), *key, "negative")] if others else None

  def _told_by(self, example: sources.Example) -> list[tuple]:
    """What an example asks, with each of the answers that it accepts."""
    return [(self._question(example), answer) for answer in self.answers(example)]

  def _question(self, example: sources.Example) -> tuple[str | tuple[str, ...] | None, ...]:
    """What an example asks: its fields without those that the answer is made of."""
    values = (example.fields.get(name) for name in self._asking)
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)

  def _listable(self, style: specs.OptionStyle | None, exemplar: sources.Example) -> bool:
    """Whether an exemplar can be written in a style: it may have other options than the query."""
    if style is None:
      return True
    choices = exemplar.fields.get("choices", ())
    return style.fits(len(choices)) and (not style.answer or self._target(exemplar.fields).strip() in choices)

  def _candidates(self, example: sources.Example, wanted: int, key: tuple) -> Iterator[sources.Example]:
    """The publisher's exemplars in a drawn order, or training examples; of a task without such, others like the query.

    Candidate i is a draw of its own, so that the exemplars of k shots are the first k of those of more shots.
    """
    published = self.source.exemplars
    pool = self.splits.train if len(self.splits.train) else self.splits.held_out
    if published:
      # An instance that is among them as well may have been given other answers there.
      others = (one for one in published if self._question(one) != self._question(example))
      yield from sorted(others, key=lambda exemplar: draws.hash64(*key, "exemplar", exemplar.id))
    elif len(pool):
      # A task with as few training examples as shots needs n (ln n + c) draws to meet them all; 64 + 16 k is plenty.
      for i in range(64 + 16 * wanted):
        yield self.source[pool[draws.draw(len(pool), *key, "exemplar", i)]]

  def _solved(
    self,
    prompt: templates.Prompt,
    fields: sources.Fields,
    style: specs.OptionStyle | None,
    closer: templates.Render | None,
  ) -> str:
    """An exemplar: the turn with its answer, in the query's option style and with its closer, and what comes after."""
    choices = tuple(fields.get("choices", ()))
    question = prompt.turn.render(fields, option_lists.block(style, choices))
    answer = option_lists.written(style, self._target(fields).strip(), choices)
    target = _reasoned(fields["rationale"], closer, answer) if closer else answer
    solved = f"{question}{_glue(question)}{target}"
    after = prompt.after(fields).strip() if prompt.after else ""
    return f"{solved}\n{after}" if after else solved


def shaping_content(source: sources.Source) -> dict[str, object]:
  """What decides, besides records, seed and manner, how a task's examples render and which are for training.

  Plain JSON values, for a store's key. A task that asks the other way round is split as the original is. What is asked
  and never trained on has no part in it; what lends instructions is `instructions.manner_content`'s.
  """
  content = _shaping(source.spec)
  if source.publishes:  # the keys of others stay as they were before this decided anything
    content["published"] = "for training"
  return {**content, "original": _shaping(source.original.spec)} if source.original else content


def _shaping(spec: specs.TaskSpec) -> dict[str, object]:
  kind = specs.get_type(spec.type)
  described = (
    *("licence", "citation", "origin", "cluster", "category", "dataset", "language", "metrics", "cap", "tags"),
    *("examples", "inverted", "inverted_of", "evaluation_only"),
  )
  # Exemplars are chosen by what is the instruction; where nothing is, keys stay as they were before types could say it.
  of_type = {key: value for key, value in dataclasses.asdict(kind).items() if key != "instruction" or value}
  trained = {form: each for form, each in of_type["wordings"].items() if formats_.get_format(form).trained}
  return {
    "renderer": RENDERER_VERSION,
    "task": {key: value for key, value in dataclasses.asdict(spec).items() if key not in described},
    "type": {**of_type, "wordings": trained},
    "closers": list(specs.closers()),
    "option_styles": [dataclasses.asdict(style) for style in specs.option_styles()],
  }


def _glue(question: str) -> str:
  """What parts a question from its answer: after a cue a space, else a new line, or nobody sees where one begins."""
  if question[-1:] in _SPACE:
    return ""
  return " " if question.endswith(frames.CUE_ENDS) else "\n"


_SPACE = frozenset(string.whitespace)


def _compiled_prompts(kind: specs.TaskType, unseen: bool, instructions: str) -> dict[str, list[templates.Prompt]]:
  names = (*kind.fields, *kind.optional, *_OF_EXEMPLARS)
  where = f"type {kind.name}"
  wordings = {"zero_shot": kind.evaluation_wordings} if unseen else kind.wordings
  if instructions == "none":
    wordings = {form: instructions_.bare(kind, form) for form in wordings}
  return {
    form: [templates.compile_wording(wording, names, where) for wording in each]
    for form, each in wordings.items()
    if each
  }


def _asking(kind: specs.TaskType) -> tuple[str, ...]:
  """The fields of a type that make the question; of one that only says something, all of them."""
  beside = {"rationale", *_OF_EXEMPLARS}
  answering = {*templates.variables(kind.target), *(beside & set(kind.optional))}
  told = (name for name in (*kind.fields, *kind.optional) if not name.startswith(instructions_.OTHER))
  asking = tuple(name for name in told if name not in answering)
  # A phrasing makes no other question of the same text.
  return tuple(name for name in asking if name not in kind.instruction) or asking or kind.fields


_OF_EXEMPLARS = ("explanation",)  # fields that publishers' exemplars have and examples lack


def _reasoned(rationale: str, closer: templates.Render, answer: str) -> str:
  """Rationale, then the closer: on a line of its own where the rationale does not end like a sentence."""
  separator = " " if rationale.endswith((".", "!", "?", "。")) else "\n"
  return f"{rationale}{separator}{closer({'answer': answer})}"
