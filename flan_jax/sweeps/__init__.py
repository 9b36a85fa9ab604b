"""Grids of runs: what is varied, in which order it runs and where, the table of what came out, figures and report.

A sweep is a gin file of a run plus axes; here it becomes a plan and a folder. Rooms: pricing, running, results, report,
and the papers' points in published. Nothing enters that trains or measures: runs are `flan-jax train` and `flan-jax
eval`, each in a process of its own.
"""
