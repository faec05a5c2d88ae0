#!/usr/bin/env bash
# Feeds each reader with mutated files for some seconds; stops at the first fault, whose input it
# leaves in build/fuzz/findings. Needs clang. What a run finds worth keeping stays in
# build/fuzz/corpus for the next.
#   tests/fuzz/run.sh [SECONDS [READER...]]      60 seconds each; readers of images: bmp gif jpeg png
#       pnm tga webp; of weights: pickle zip pth safetensors npy; of configurations: config
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
readers=("${@:2}")
[ ${#readers[@]} -gt 0 ] || readers=(bmp gif jpeg png pnm tga webp pickle zip pth safetensors npy config)
cmake --preset fuzz >/dev/null
targets=("${readers[@]/#/fuzz_}")
cmake --build build/fuzz --target fuzz_seeds "${targets[@]}"
seeds=build/fuzz/seeds findings=build/fuzz/findings
mkdir -p $findings
build/fuzz/tests/fuzz/fuzz_seeds $seeds
for reader in "${readers[@]}"; do
  corpus=build/fuzz/corpus/$reader
  mkdir -p "$corpus" "$seeds/$reader"
  "build/fuzz/tests/fuzz/fuzz_$reader" -max_total_time="$seconds" -max_len=4096 -timeout=10 \
    -rss_limit_mb=1024 -artifact_prefix=$findings/ -print_final_stats=1 "$corpus" "$seeds/$reader" tests/io/data \
    2>&1 | tee "build/fuzz/$reader.log" | grep -E 'ERROR|runtime error|stat::number_of_executed|DONE' ||
    { tail -n 40 "build/fuzz/$reader.log"; exit 1; }
done
