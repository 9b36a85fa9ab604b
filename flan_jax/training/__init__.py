"""Training: partitioning, train state, losses, optimizers, schedules, checkpoints, the loop.

May import evaluation, models, data and interop; nothing here imports TensorFlow, nor decoding but through evaluation.
"""
