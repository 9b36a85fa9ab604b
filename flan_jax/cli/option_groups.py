"""Commands of many options show them in groups, each under a heading."""

from collections.abc import Mapping

import click


class Grouped(click.Command):
  """A command whose help lists options under headings; an option whose group is not declared comes last.

  Give `groups`: heading -> names of options, as parameters are called.
  """

  def __init__(self, *arguments, groups: Mapping[str, tuple[str, ...]], **options):
    super().__init__(*arguments, **options)
    self._groups = groups

  def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Writes the options of each group, then the others."""
    records = {
      param.name: param.get_help_record(ctx) for param in self.get_params(ctx) if isinstance(param, click.Option)
    }
    grouped = {name for names in self._groups.values() for name in names}
    others = tuple(name for name in records if name not in grouped)
    for heading, names in {**self._groups, "Other options": others}.items():
      shown = [records[name] for name in names if records[name] is not None]
      if shown:
        with formatter.section(heading):
          formatter.write_dl(shown)
