#!/usr/bin/env bash
# Train, score and compare the three methods on the embedded photographs.  run.sh [VARIABLE=VALUE of make]...
set -euo pipefail
cd "$(dirname "$0")/../.."
make study "$@"
