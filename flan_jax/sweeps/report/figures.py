"""From tables of sweeps to figures: which ones, by what varies and what was measured."""

import pyarrow as pa

from flan_jax.sweeps.report import derived
from flan_jax.sweeps.report.axes import kinds_of
from flan_jax.sweeps.report.axis_figures import axis_figure
from flan_jax.sweeps.report.cluster_figure import cluster_figure
from flan_jax.sweeps.report.compute_figure import compute_figure
from flan_jax.sweeps.report.control_figure import control_figure
from flan_jax.sweeps.report.curves_figure import curves_figure
from flan_jax.sweeps.report.figure import Figure
from flan_jax.sweeps.report.ladder_figure import ladder_figure
from flan_jax.sweeps.report.reading import read
from flan_jax.sweeps.report.reasoning_figure import reasoning_figure
from flan_jax.sweeps.report.way_figure import way_figure


def figures(table: pa.Table) -> list[Figure]:
  """The figures of one sweep's table, or of several (`table.together`), those about scores first.

  Args:
    table: as `columns` says. Whatever is missing in it is missing in the figures, and told in their notes.

  Returns:
    A figure for each axis that varies, by its name or, of an axis that is not known, a general one; leave-one-out by
    cluster; training curves; compute. None of them without data; empty where the table has none at all.
  """
  reading = derived.with_bases_at_their_best(read(table))
  made = [ladder_figure(reading), control_figure(reading), way_figure(reading)]
  made += [axis_figure(kind, reading) for kind in kinds_of(reading.runs)]
  made += [cluster_figure(reading), reasoning_figure(reading), curves_figure(reading), compute_figure(reading)]
  return [each for each in made if each]
