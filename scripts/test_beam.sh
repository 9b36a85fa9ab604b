#!/usr/bin/env bash
# Runs the tests of preparation on Apache Beam with Beam's local runner, in an environment of its own (made if needed);
# then prepares the demo by `flan-jax prepare`, with and without Beam, and compares the stores file by file.
source "$(dirname "${BASH_SOURCE[0]}")/beam_environment.sh"

python -m pytest -q tests/data/test_beam.py "$@"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
flan-jax prepare demo --lengths 128,32 --store_dir "$work/local" > /dev/null
flan-jax prepare demo --lengths 128,32 --store_dir "$work/beam" --runner DirectRunner > /dev/null
diff -r --exclude=manifest.json "$work/local" "$work/beam"
# Manifests have every file's checksum; they differ in the time of day alone, and so in the checksum of their own.
differences="$(diff -r "$work/local" "$work/beam" | grep '^[<>]' | grep -vE '^[<>]   "(made|xxh3)": ' || true)"
[ -z "$differences" ] || { echo "manifests differ: $differences" >&2; exit 1; }
echo "The demo's $(find "$work/beam" -name manifest.json | wc -l) stores are the same, file for file."
