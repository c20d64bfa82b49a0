#!/usr/bin/env bash
# Sweep twelve jobs of which one is made to fail, a study that is killed and continued, and one grid on three launchers.
# Run it in an empty folder, with lowlight[launch,optuna,ray] on the PATH.
set -u
twelve() {
    lowlight train -m "$@" trainer.max_epochs=8 trainer.enable_progress_bar=false resume=auto \
        logger=wandb logger.wandb.offline=true hydra/launcher=joblib hydra.launcher.n_jobs=2 hydra.sweep.dir=multirun/demo
}
twelve experiment=study/autoencoder,study/gan method.optimizer.lr=2e-4,1e-3 seed=0,1
twelve experiment=study/mirnet method.optimizer.lr=2e-4 seed=0,1
twelve experiment=study/mirnet method.optimizer.lr=1e-3 seed=0,-1 'hydra.sweep.subdir=mirnet-${hydra:job.num}-b'
lowlight compare multirun/demo --out report

study=(lowlight train hparams_search=optuna experiment=study/autoencoder trainer.max_epochs=8 hydra.sweeper.n_trials=8)
timeout --signal=KILL 30 "${study[@]}" # seconds; a trial takes about ten
"${study[@]}"

grid() {
    lowlight train -m experiment=study/autoencoder method.optimizer.lr=2e-4,1e-3 seed=0,1 trainer.max_epochs=6 "$@"
}
grid hydra.sweep.dir="$PWD/ray" hydra/launcher=ray hydra.launcher.ray.init.address=local
ray start --head --block --port=6379 --num-cpus=2 &
cluster=$!
sleep 15
RAY_AUTH_MODE=token grid hydra.sweep.dir="$PWD/cluster" hydra/launcher=ray \
    hydra.launcher.ray.init.address=127.0.0.1:6379 +hydra.launcher.ray.init.object_store_memory=null
kill "$cluster"
grid hydra.sweep.dir=multirun/array hydra/launcher=submitit_local hydra.launcher.timeout_min=10
