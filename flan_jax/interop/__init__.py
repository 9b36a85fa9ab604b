"""Checkpoints of every kind, in and out: flan_jax's own and Hugging Face's.

May enter: readers and writers of checkpoint formats, and what maps their names to ours. May not: training, data.
"""
