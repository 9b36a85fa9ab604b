"""Checkpoints of every kind, in and out: flan_jax's own, T5X's and Hugging Face's.

`loading` recognises and reads them, `convert` makes one of another; each format has its own files.
May enter: readers and writers of checkpoint formats, and what maps their names to ours. May not: training, data (but
for the vocabulary that goes along).
"""
