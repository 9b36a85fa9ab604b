"""Training: partitioning, train state, losses, optimizers, schedules, checkpoints, the loop.

May import models, data and interop; nothing here imports TensorFlow, decoding or evaluation.
"""
