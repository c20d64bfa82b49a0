#!/usr/bin/env bash
# Twelve jobs, two at a time, of which the last is made to fail; run from a folder of your own with lowlight on the PATH.
set -u
sweep() {
    lowlight train -m "$@" trainer.max_epochs=8 trainer.enable_progress_bar=false resume=auto \
        logger=wandb logger.wandb.offline=true hydra/launcher=joblib hydra.launcher.n_jobs=2 hydra.sweep.dir=multirun/demo
}
sweep experiment=study/autoencoder,study/gan method.optimizer.lr=2e-4,1e-3 seed=0,1
sweep experiment=study/mirnet method.optimizer.lr=2e-4 seed=0,1
sweep experiment=study/mirnet method.optimizer.lr=1e-3 seed=0,-1 'hydra.sweep.subdir=mirnet-${hydra:job.num}-b'
