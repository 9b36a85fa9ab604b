"""Two checkpoints side by side on the same prompts: what each answers, which is right, and which a person prefers."""
