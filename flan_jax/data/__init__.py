"""How text becomes batches: sources, rendering, vocabularies, SeqIO registration, the store, mixing, packing.

What may enter: functions over plain Python and numpy; never jax, and TensorFlow only inside the two SeqIO modules.
What is learned (tasks, wordings, rates) is data of `flan_jax.collections` and never stands in this code.
"""
