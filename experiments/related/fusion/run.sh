#!/usr/bin/env bash
# Score two trained methods alone, their mean and their fusion on LOL's test pairs, and compare.  run.sh LOL FIRST SECOND [OUT]
# FIRST and SECOND are run folders; the second enhances the first's result, and, in rows named "beside", the dark image.
set -euo pipefail
lol=$(realpath "$1") first=$(realpath "$2") second=$(realpath "$3")
out=$(realpath -m "${4:-outputs/fusion}")

evaluate() { # NAME OVERRIDE...
    local name=$1
    shift
    lowlight evaluate method=fusion "method.first='$first'" "method.second='$second'" "name=$name" "$@" \
        data=lol "data.root='$lol'" trainer=cpu 'metrics=[lpips]' "output_dir='$out/$name'" resume=auto
}

for rule in first second mean contrast; do
    evaluate "$rule" method.net.rule=$rule
done
for rule in second mean contrast; do
    evaluate "beside-$rule" method.net.rule=$rule method.net.chained=false
done
lowlight compare "$out"/{first,second,mean,contrast} "$out"/beside-{second,mean,contrast} --out "$out/report"
