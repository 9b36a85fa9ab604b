"""The columns of a sweep's table: one tidy table, a row an observation.

A run of which nothing was observed (yet) has one row, whose columns of the observation are all null.

Columns that describe the run stand in each of its rows; then come the columns of the observation. An axis NAME is the
column `axis.NAME`, whole numbers, numbers, truth values or texts as its values are.
"""

# Of the run. Empty (null) where it is not known.
RUN = {
  "sweep": "string",
  "score": "string",  # of the sweep: which of the scores below it is about, as 'EVALUATION/VARIANT'
  "run": "string",  # name, and folder
  "state": "string",  # see `states.STATES`
  "tuned": "bool",  # False: what the runs begin with, measured as it is
  "seed": "int64",
  "config": "string",  # PlannedRun.config
  "model": "string",  # the gin file of its size, such as t5_1_1_xl; else a text of its shape
  "parameters": "int64",
  "initial_checkpoint": "string",  # what it began with; null of random parameters
  "mixture": "string",
  "tasks": "int64",  # trained on; 0 of an untuned one
  "examples": "int64",  # that those tasks have, at most their max_per_task
  "tokens_per_example": "double",  # inputs and targets, at the mixture's rates
  "cot_share": "double",  # of the examples at the mixture's rates: those that reason first
  "few_shot_share": "double",  # those with exemplars
  "train_steps": "int64",  # asked for
  "steps": "int64",  # done
  "trained_examples": "int64",
  "trained_tokens": "int64",  # useful ones: no padding
  "flops": "double",  # of training, by training/flops.py
  "pretraining_flops": "double",  # of what it began with, where that is published or counted
  "train_seconds": "double",  # wall time of all starts of `flan-jax train`
  "evaluate_seconds": "double",  # of all of `flan-jax eval`
  "device": "string",  # jax's device_kind
  "devices": "int64",
}
# Of the observation.
OBSERVATION = {
  "quantity": "string",  # 'score', or 'loss' (training's), 'held_out_loss', 'unseen_loss'
  "evaluation": "string",  # of a score: Evaluation.name
  "rung": "int64",  # of a score: the place of its evaluation in Sweep.ladder, from 1; null where it is none
  "suite": "string",  # of a score: a suite, or the mixture; '' of an average over suites
  "split": "string",  # of a score of a mixture: 'seen' or 'held_out', by what this run was trained on
  "cluster": "string",  # cluster or group; '' of an average over all
  "task": "string",  # '' of an average; of a suite those that its average is made of
  "variant": "string",  # format of a mixture's prompts, mode of a suite's (with n > 1 'cot@40'); '' of them together
  # Of a mixture: 'accuracy' and what else of held_out/rows.py's MEASURES was measured. Of a suite: 'exact_match', ...;
  # 'normalised' of chance-corrected averages; 'normalised_average' of the four.
  "metric": "string",
  "step": "int64",  # of the checkpoint, or of the loss
  "value": "double",  # a share of 1, or nats
  "n": "int64",  # questions
  "low": "double",  # 95% interval, of this run alone
  "high": "double",
  "chance": "double",
  "no_answer": "double",  # share of outputs
}
