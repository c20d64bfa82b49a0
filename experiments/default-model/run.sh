#!/usr/bin/env bash
# Train the default model for about an hour on two CPU cores, score it, compare it with lol-baselines.  run.sh LOL [OUT]
# Needs lowlight on the PATH. Interrupted, the same command continues.
set -euo pipefail
root=$1
out=${2:-outputs/default-model}
here=$(dirname "$0")
others=$here/../lol-baselines/results

lowlight train experiment=lol_cpu/coarse_to_fine data.root="$root" data.val_fraction=0 resume=auto "output_dir=$out/run"
lowlight export "$out/run" --format pretrained --half --tolerance 1e-3 --out "$out/weights"
lowlight evaluate "checkpoint=$out/weights" data=lol data.root="$root" trainer=cpu "output_dir=$out/scores"
python "$here/../paired.py" "$out/scores" --minus "$others"/{mirnet,mirnet-1,gan,autoencoder,bilateral,gamma}
