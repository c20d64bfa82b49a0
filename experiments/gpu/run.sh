#!/usr/bin/env bash
# Try training and enhancing on a GPU in at most 8 minutes.  run.sh OUT
# Needs this checkout and an interpreter with its packages ($PYTHON, else .venv, else python3); no network.
# LOWLIGHT_DEVICE=cpu rehearses every part in tiny form without a GPU.
set -uo pipefail
mkdir -p "${1:?usage: run.sh OUT}"
out=$(realpath "$1")
cd "$(dirname "$0")/../.."
device=${LOWLIGHT_DEVICE:-cuda}
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONPATH=$PWD PYTHONUNBUFFERED=1 XDG_CACHE_HOME=$work TORCHINDUCTOR_CACHE_DIR=$work/inductor WANDB_MODE=disabled
end=$((SECONDS + ${LOWLIGHT_SECONDS:-470}))
failed=0
: >"$out/parts.jsonl"

part() { # part NAME LIMIT COMMAND...: run a command for at most LIMIT seconds, into OUT/NAME.log
    local name=$1 limit=$2 left=$((end - SECONDS)) began=$SECONDS status=124
    shift 2
    if ((left > 5)); then
        timeout -k 5 $((left < limit ? left : limit)) "$@" >"$out/$name.log" 2>&1
        status=$?
    fi
    ((status == 0)) || failed=1
    printf '{"part": "%s", "status": %d, "seconds": %d}\n' "$name" "$status" $((SECONDS - began)) | tee -a "$out/parts.jsonl"
}

measure() { # measure NAME LIMIT: a part of measure.py, which writes OUT/NAME.json
    part "$1" "$2" "$python" experiments/gpu/measure.py "$1" --device "$device" --out "$out/$1.json"
}

measure machine 60
if [ "$device" = cpu ]; then
    tests=(--collect-only)
    mirnet=(--channels 8 --side 32 --crop 32 --rounds 1)
else
    tests=()
    mirnet=(--rounds 5)
fi
part tests 100 "$python" -m pytest -q -p no:cacheprovider -m gpu "${tests[@]}" tests
measure latency 60
measure tiles 60
part mirnet 80 "$python" experiments/network-speed/run.py --device "$device" "${mirnet[@]}" --out "$out/mirnet.json"
measure training 300
exit $failed
