#!/usr/bin/env bash
# Train, score and compare small versions of the three methods on LOL.  run.sh LOL [VARIABLE=VALUE of make]...
set -euo pipefail
root=$(realpath "$1")
shift
cd "$(dirname "$0")/../.."
make study ROOT="$root" "$@"
