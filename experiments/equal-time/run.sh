#!/usr/bin/env bash
# Train the three methods of the study and coarse_to_fine for about 20 minutes each on two CPU cores, then coarse_to_fine
# for about 16 minutes with three seeds; score and compare them.  run.sh LOL [OUT]
# Cosine schedules need the number of epochs beforehand, so the times are approximate: README.md states those measured.
# Needs lowlight on the PATH. Interrupted, the same command continues.
set -euo pipefail
root=$1
out=${2:-outputs/equal-time}
here=$(dirname "$0")

train() { # preset, folder, overrides
    local preset=$1 name=$2
    shift 2
    lowlight train "experiment=lol_cpu/$preset" data.root="$root" resume=auto "output_dir=$out/$name" \
        trainer.enable_progress_bar=false trainer.max_time=null "$@"
    lowlight evaluate "checkpoint=$out/$name" data=lol data.root="$root" trainer=cpu resume=auto "output_dir=$out/scores/$name"
}

train mirnet mirnet trainer.max_epochs=88
train gan gan trainer.max_epochs=190
train autoencoder autoencoder trainer.max_epochs=350
# coarse_to_fine is validated after its last step only, which is also the one scored.
train coarse_to_fine coarse_to_fine method.coarse_epochs=100 trainer.max_epochs=130 trainer.check_val_every_n_epoch=130
for seed in 0 1 2; do
    train coarse_to_fine "16-minutes-$seed" method.coarse_epochs=100 trainer.max_epochs=115 trainer.check_val_every_n_epoch=115 seed=$seed
done

python "$here/../validation.py" "$out"/{coarse_to_fine,mirnet,gan,autoencoder,16-minutes-{0,1,2}} --out "$out/validation"
for scores in "$out/scores" "$out/validation"; do
    python "$here/../paired.py" "$scores/coarse_to_fine" --minus "$scores"/{mirnet,gan,autoencoder}
done
python "$here/../paired.py" "$out/scores"/16-minutes-{0,1,2} --minus "$out/scores"/{mirnet,gan,autoencoder}
