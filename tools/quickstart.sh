#!/usr/bin/env bash
# From a fresh checkout to restored photographs: builds mini, trains a small SAIN x2 on the
# photographs in data/photos for some minutes, and sends held-out parts of them through JPEG at five
# qualities. Leaves the table and side-by-side pictures in out/quickstart.
#   tools/quickstart.sh [OPTION OF mini_train...]      for instance --set train.steps=3000
#   tools/quickstart.sh --smoke                        ten steps, into out/smoke: does all of it work?
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/lib/setup.sh
setup

out=out/quickstart
if [ "${1:-}" = --smoke ]; then
  out=out/smoke
  shift
  set -- --set train.steps=10 --set train.schedule.warmup=2 --set validation.every=10 \
    --set log.every=5 "$@"
fi

start=$SECONDS
echo "Building mini_train and mini_infer (build/quickstart) ..."
# The CUDA backend takes minutes to compile, so only where there is a GPU.
cuda=OFF
nvidia-smi >/dev/null 2>&1 && cuda=AUTO
configure build/quickstart -DCMAKE_BUILD_TYPE=Release -DMINI_TESTS=OFF -DMINI_CUDA=$cuda -DMINI_ISAS=native
build build/quickstart mini_train mini_infer
tools=build/quickstart/tools
built=$SECONDS

echo
echo "Training (configs/quickstart.json) ..."
rm -rf "$out"
mkdir -p "$out"
"$tools/mini_train" configs/quickstart.json --out "$out/training" "$@"

echo
echo "Held-out parts of the photographs, through JPEG:"
"$tools/mini_infer" evaluate data/photos/held_out --weights "$out/training" \
  --quality 30,50,70,80,90 --markdown "$out/table.md" --json "$out/table.json"
echo
echo "Writing the pictures ..."
"$tools/mini_infer" roundtrip data/photos/held_out "$out/pictures" --weights "$out/training" \
  --quality 30,50,70,80,90 >"$out/pictures.txt"
echo
echo "The build took $((built - start)) s, training and evaluation $((SECONDS - built)) s. Look at:"
echo "  $out/pictures      original | bicubic | SAIN, side by side, with the difference of each"
echo "  $out/pictures.txt  the measures of each picture"
echo "  $out/table.md      the table above"
