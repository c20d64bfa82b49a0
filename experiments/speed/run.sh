#!/usr/bin/env bash
# Time the default model and others in five engines.  run.sh SCORES [OUT]
# SCORES: the folder scores/ that equal-time/run.sh writes (for the PSNR in the plot). Needs lowlight[export,openvino].
set -euo pipefail
mkdir -p "${2:-outputs/speed}"
out=$(realpath "${2:-outputs/speed}")
cd "$1"
lowlight benchmark coarse_to_fine mirnet gan autoencoder bilateral gamma lime \
    --engine torch --engine bf16 --engine compile --engine onnx --engine openvino --rounds 7 --train 8x128 --out "$out"
