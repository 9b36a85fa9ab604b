"""Networks and their configs: what turns a batch of token ids into logits.

Modules are Flax NNX at the edge and arrays in the middle; every parameter carries T5X's name and logical axis names.
May enter: configs, layers, architectures. May not: data, tokenisers, meshes, optimizers, checkpoint formats.
"""
