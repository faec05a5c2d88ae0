#!/usr/bin/env bash
# Runs mini on processors older than this machine's, which qemu-user emulates: Nehalem (2008) has no
# AVX, Haswell (2013) has AVX2 but no AVX-512. On each mini must choose the best set that is left,
# compute rightly with it, and refuse the next. (No dense block: qemu 7.2 fails on masked loads that a
# processor leaves out.)
#   tests/isa/emulated.sh BUILD_FOLDER SET...        the sets that the build has
set -euo pipefail
folder=$1
sets=" ${*:2} "
if ! command -v qemu-x86_64 >/dev/null; then
  echo "skipped: there is no qemu-x86_64 (Debian's package is qemu-user)"
  exit 77
fi
unset MINI_ISA
export MINI_NUM_THREADS=1

# on PROCESSOR SET NEXT
on() {
  [[ $sets == *" $2 "* ]] || return 0
  local emulator=(qemu-x86_64 -cpu "$1") answer
  answer=$("${emulator[@]}" "$folder/tools/mini_infer" --version)
  echo "$1: $answer"
  [[ $answer == *", CPU kernels: $2 of "* ]]
  "${emulator[@]}" "$folder/tests/test_ops" --gtest_filter='Isa.*:Conv2d.Is*:Matmul.*:Pool.*'
  [[ $sets == *" $3 "* ]] || return 0
  if answer=$(MINI_ISA=$3 "${emulator[@]}" "$folder/tools/mini_infer" --version 2>&1); then
    echo "$1 was to refuse $3" >&2
    return 1
  fi
  echo "$1: $answer"
  [[ $answer == *"MINI_ISA=$3: this processor does not execute it"* ]]
}
on Nehalem plain avx2
on Haswell avx2 avx512
