"""From prompts to continuations: the cached loop over tokens, and the ways to select one.

May enter: decoding loops, selections, scoring, batching of prompts. May not: text, tasks, metrics, checkpoints.
"""
