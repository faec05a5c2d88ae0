#!/usr/bin/env bash
# Builds mini and runs every test: release, AddressSanitizer and UBSan, the install tree, clang-tidy.
#   tools/test.sh           everything
#   tools/test.sh --quick   the release build and its tests only
# Installs what is missing (Debian 12 and 13), prints what each part took, ends with the totals; the
# exit code is 0 only when all is green.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/lib/setup.sh

quick=false
case "${1:-}" in
  "") ;;
  --quick) quick=true ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 1 ;;
esac

packages=(libgtest-dev libopenmpi-dev openmpi-bin)
if $quick; then setup "${packages[@]}"; else setup "${packages[@]}" clang clang-tidy; fi
$quick || compiles clang++ || {
  echo "clang++ does not compile here; install the g++ that clang++ -v names, or run tools/test.sh --quick" >&2
  exit 1
}

logs=build/logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0

# step NAME COMMAND...: runs a part, its output in a log that is shown when it fails.
step() {
  local name=$1 start=$SECONDS
  shift
  if "$@" >"$logs/$name.log" 2>&1; then
    printf '%-24s ok      %4d s\n' "$name" $((SECONDS - start))
    passed=$((passed + 1))
  else
    printf '%-24s FAILED  %4d s   (%s)\n' "$name" $((SECONDS - start)) "$logs/$name.log"
    tail -n 60 "$logs/$name.log"
    failed=$((failed + 1))
  fi
}

# tests NAME FOLDER: ctest, counting the single tests that GoogleTest ran, failed and skipped. Much of
# a test is one thread's work, so two programs run at a time; the log is sorted by program.
tests() {
  local name=$1 folder=$2 start=$SECONDS log="$logs/$1.log" ok=ok
  ctest --test-dir "$folder" --verbose -j 2 2>&1 | sort -s -n >"$log" || ok=FAILED
  local p f s
  p=$(grep -c '^[0-9]*: \[       OK \]' "$log" || true)
  f=$(grep -c '^[0-9]*: \[  FAILED  \].*ms)$' "$log" || true)
  s=$(grep -c '^[0-9]*: \[  SKIPPED \].*ms)$' "$log" || true)
  [ $ok = ok ] || [ "$f" -gt 0 ] || f=1 # a crash names no test
  printf '%-24s %-6s  %4d s   %d passed, %d failed, %d skipped\n' \
    "$name" $ok $((SECONDS - start)) "$p" "$f" "$s"
  [ $ok = ok ] || grep -E 'FAILED|Failure|SEGFAULT|ERROR: AddressSanitizer|runtime error' -A4 "$log" | head -n 80
  grep -hoE 'gradient-check suite:.*' "$log" | tail -n 1 || true
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

configure_and_build() { configure "build/$1" "${@:2}" && build "build/$1"; }

step build-release configure_and_build release -DCMAKE_BUILD_TYPE=Release
tests test-release build/release
step configure tests/configure/run.sh build/configure
if ! $quick; then
  # By clang, so that both compilers build everything and run every test.
  step build-debug configure_and_build debug --preset debug
  export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
  # Too slow under the sanitizers: whole training runs (the golden ones' first steps run in float32),
  # and deep networks trained only to count bytes.
  slow='*GoldenTraining*float64*:*SameBitsAfterTraining*:*PeakGrows*'
  slow+=':*FourStagesLearn*:GrainTest.AResumedRun*:*LearnsAToyDistribution*'
  GTEST_FILTER="-$slow" tests test-debug build/debug
  unset ASAN_OPTIONS UBSAN_OPTIONS
  step install-tree tests/install/run.sh build/release build/install
  step clang-tidy tools/lib/tidy.sh build/tidy
fi

echo
[ $skipped -eq 0 ] || echo "Skipped tests need a GPU (tests/cuda, .../Cuda; the sanitizer build emulates one), or material outside the checkout, whose folder MINI_SHARED or MINI_GOLDEN names."
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
