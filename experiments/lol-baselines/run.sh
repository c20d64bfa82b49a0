#!/usr/bin/env bash
# Train the three methods with two seeds, score them and the untrained ones, plot the leak.  run.sh LOL [OUT]
# Needs lowlight[features] on the PATH. Interrupted, the same command continues.
set -euo pipefail
root=$1
out=${2:-outputs/lol-baselines}
here=$(dirname "$0")

evaluate() { # folder, overrides
    local name=$1
    shift
    lowlight evaluate data=lol data.root="$root" trainer=cpu resume=auto "output_dir=$out/scores/$name" "$@"
}

scored=()
for method in mirnet gan autoencoder; do
    for seed in 0 1; do
        name=$method
        [ "$seed" = 0 ] || name=$method-$seed
        lowlight train "experiment=lol_cpu/$method" data.root="$root" "seed=$seed" resume=auto "output_dir=$out/$name"
        evaluate "$name" "checkpoint=$out/$name" features=true
        scored+=("$out/scores/$name")
    done
done
for method in bilateral gamma lime histogram msrcr clahe identity; do
    evaluate "$method" "method=$method" features=true
    scored+=("$out/scores/$method")
done
lowlight compare "${scored[@]}" --out "$out/report"

for split in by_file scene_disjoint; do
    lowlight data retrieve "$root" --out "$out/control-$split" --split "$split"
    evaluate "retrieval-$split" "predictions=$out/control-$split" name=retrieval "data.split=$split"
done
python "$here/leak.py" "$out/scores/retrieval-by_file" "$out/scores/retrieval-scene_disjoint" --out "$out/leak.png"
python "$here/../paired.py" "$out/scores/"mirnet{,-1} --minus "$out/scores/"gan{,-1} --mean \
    --scores psnr ssim delta_e channel/accuracy
