#!/usr/bin/env bash
# Runs clang-tidy, with clang's warnings as errors, on every source of the library and the tools that
# this build compiles (not on the CUDA backend), on all cores.
#   tools/lib/tidy.sh BUILD_FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$1
cmake -G Ninja -B "$folder" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=clang++ \
  -DMINI_CUDA=OFF -DMINI_PCH=OFF >/dev/null
status=0
sed -n "s|^ *\"file\": \"$PWD/\(.*\.cpp\)\".*|\1|p" "$folder/compile_commands.json" |
  grep -v '^tests/' | sort -u |
  xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$folder" >"$folder/tidy.log" 2>&1 || status=$?
grep -vE '^[0-9]+ warnings? generated|^Suppressed|^Use -header-filter' "$folder/tidy.log" || true
exit $status
