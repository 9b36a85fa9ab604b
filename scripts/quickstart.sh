#!/usr/bin/env bash
# The main job on the embedded collection: tune a small T5 1.1 from scratch on instructions, and measure it before and
# after on tasks that it trained on and on tasks that it never saw. About five minutes on 4 cores after the install.
# Interrupted, the same command goes on; finished, it starts anew. FLAN_JAX_EXTRAS=cuda (or tpu) uses an accelerator.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

run=runs/quickstart
if [ -e "$run/results.json" ]; then
  rm -rf "$run"
fi
flan-jax train --gin_file=gin_configs/runs/quickstart.gin --store_dir=runs/store --cpu_devices=-1
flan-jax eval "$run" --before="$run/checkpoints/0" --mixture=demo_all --examples=15 --output="$run"
