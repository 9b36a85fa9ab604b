#!/usr/bin/env bash
# The main job on the embedded collection: tune the demo's base, a small T5 1.1 that has read stories and no instruction,
# on instructions, and measure it before and after on tasks that it was tuned on, on new compositions of them and on
# clusters of tasks that it never saw. About five minutes on 4 cores after the install.
# Interrupted, the same command goes on; finished, it starts anew. FLAN_JAX_EXTRAS=cuda (or tpu) uses an accelerator.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# A run that is told to stop saves and ends well; what comes after it is then not wanted either.
trap 'exit 130' INT
trap 'exit 143' TERM

run=runs/quickstart
if [ -e "$run/results.json" ]; then
  rm -rf "$run"
fi
flan-jax train --gin_file=gin_configs/runs/quickstart.gin --store_dir=runs/store --cpu_devices=-1
flan-jax eval "$run" --before=demo --mixture=demo_all --formats=zero_shot,few_shot,continuation,cot --examples=4 \
  --output="$run"
