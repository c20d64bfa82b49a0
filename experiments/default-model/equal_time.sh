#!/usr/bin/env bash
# Trains the three methods of the study and coarse_to_fine for about 20 minutes each on two cores, one after the other,
# then coarse_to_fine for about 16 minutes by three seeds; scores them all.  bash equal_time.sh LOL [OUT]; run again, it goes on.
# The cosine schedules need their epochs beforehand; README.md says how long these took.
set -euo pipefail
root=$1
out=${2:-outputs/equal-time}

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
# coarse_to_fine is validated at its last step alone, which is the one that is scored.
train coarse_to_fine coarse_to_fine method.coarse_epochs=100 trainer.max_epochs=130 trainer.check_val_every_n_epoch=130
for seed in 0 1 2; do
    train coarse_to_fine "16-minutes-$seed" method.coarse_epochs=100 trainer.max_epochs=115 trainer.check_val_every_n_epoch=115 seed=$seed
done
