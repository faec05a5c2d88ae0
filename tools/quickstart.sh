#!/usr/bin/env bash
# From a fresh checkout to restored photographs: builds mini, trains a small SAIN x2 on the
# photographs in data/photos for some minutes, and sends held-out parts of them through JPEG at five
# qualities. Leaves the table and side-by-side pictures in out/quickstart.
#   tools/quickstart.sh [OPTION OF mini_train...]      for instance --set train.steps=3000
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/lib/setup.sh
setup

echo "Building (build/quickstart) ..."
configure build/quickstart -DCMAKE_BUILD_TYPE=Release -DMINI_TESTS=OFF -DMINI_ISAS=native
cmake --build build/quickstart --target mini_train mini_infer | tail -n 1
tools=build/quickstart/tools
out=out/quickstart
rm -rf "$out"
mkdir -p "$out"
start=$SECONDS

echo "Training (configs/quickstart.json) ..."
"$tools/mini_train" configs/quickstart.json "$@"

echo
echo "Held-out parts of the photographs, through JPEG:"
"$tools/mini_infer" evaluate data/photos/held_out --weights "$out/training" \
  --quality 30,50,70,80,90 --markdown "$out/table.md" --json "$out/table.json"
"$tools/mini_infer" roundtrip data/photos/held_out "$out/pictures" --weights "$out/training" \
  --quality 30,50,70,80,90
echo
echo "Training and evaluation took $((SECONDS - start)) s. Look at:"
echo "  $out/pictures   original | bicubic | SAIN, side by side, with the difference of each"
echo "  $out/table.md   the table above"
