"""How good is a checkpoint? Prompts nobody trained on, answers read out of outputs, metrics, intervals, table, chart.

What may enter: anything that turns outputs into figures. It asks `decoding` for outputs and `data` for prompts, and
imports nothing of `training`."""
