#!/usr/bin/env bash
# Checks mini on a machine with a GPU, in one call of less than ten minutes: tests on the device,
# sanitizers, benchmarks against PyTorch, training. Each part has a time limit and a log of its own, and
# a part that fails does not stop the others.
#   tools/device/check.sh [--out DIR] [--only PART,PART..]
#   tools/device/check.sh --emulated BUILD     try it without a GPU, on a build with MINI_CUDA=EMULATED
# Runs the programs in build/device.tar.gz (made by tools/device/pack.sh) or, without it, builds them.
# Writes report.md (the table) and logs.tar.gz to DIR (build/check). Exit code 1 if a part fails.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
source tools/device/parts.sh

# The parts, the most important first, and their limits in seconds. With a second each for stopping a
# part that hangs, they take less than nine minutes. gradcheck runs only on request, since the tests
# compare the same derivatives with those of the CPU.
parts=(facts tests golden exact compare kernels train_jpeg train_webp memcheck racecheck)
declare -A limit=([facts]=30 [tests]=90 [golden]=40 [exact]=45 [compare]=155 [kernels]=25
  [train_jpeg]=30 [train_webp]=30 [memcheck]=45 [racecheck]=40 [gradcheck]=120)

usage() {
  sed -n '2,9s/^# \{0,1\}//p' "$0"
  exit 1
}

out=build/check only='' this_part='' emulated=${emulated:-}
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case $1 in
    --out) out=$2 ;;
    --only) only=$2 ;;
    --emulated) emulated=$2 ;;
    --part) this_part=$2 ;; # used when this script calls itself
    *) usage ;;
  esac
  shift 2
done
if [ -n "$this_part" ]; then
  "part_$this_part"
  exit
fi

slow=1
[ -z "$emulated" ] || slow=10
export emulated
find_programs || exit 1
find_libraries || exit 1
export programs library_path work slow
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out" "$work/logs"
[ -z "$only" ] || IFS=, read -ra parts <<<"$only"
# The emulated device cannot run these parts, or is too slow for them.
[ -z "$emulated" ] || parts=($(printf '%s\n' "${parts[@]}" | grep -Ev '^(compare|memcheck|racecheck|train_webp)$'))

total=0
for name in "${parts[@]}"; do
  [ -n "${limit[$name]:-}" ] || { echo "check: no part is called $name" >&2; exit 1; }
  total=$((total + limit[$name] + 1))
done
echo "at most $((total * slow)) s in ${#parts[@]} parts"
[ "$total" -lt 540 ] || { echo "check: that is above nine minutes" >&2; exit 1; }

# Writes the table so far, so that a call that is stopped early leaves a result.
report() {
  echo "### $(date -u '+%Y-%m-%d %H:%M UTC'), commit $(commit), $(device_name)"
  echo
  echo "| part | result | seconds | key figure |"
  echo "|---|---|---|---|"
  printf '%s\n' "${rows[@]}"
  for table in "$work"/logs/*.md; do
    [ ! -e "$table" ] || { echo && cat "$table"; }
  done
}

rows=() failed=0
for name in "${parts[@]}"; do
  log="$work/logs/$name.log" start=$EPOCHREALTIME
  timeout -k 1 $((limit[$name] * slow)) bash tools/device/check.sh --part "$name" >"$log" 2>&1 </dev/null
  code=$?
  seconds=$(awk "BEGIN {printf \"%.1f\", $EPOCHREALTIME - $start}")
  key=$(sed -n 's/^key: //p' "$log" | tail -n 1)
  case $code in
    0) result=ok ;;
    124 | 137) result="FAILED: over $((limit[$name] * slow)) s" ;;
    *) result="FAILED ($code)" ;;
  esac
  [ $code -eq 0 ] || failed=$((failed + 1))
  rows+=("| $name | $result | $seconds | ${key//|//} |")
  printf '%-12s %-22s %7s s  %s\n' "$name" "$result" "$seconds" "$key"
  [ $code -eq 0 ] || { echo "  the end of its log:"; tail -n 15 "$log" | cut -c 1-200 | sed 's/^/  /'; }
  shorten "$log"
  report >"$out/report.md"
  tar -czf "$out/logs.tar.gz" -C "$work" logs
done

echo
cat "$out/report.md"
echo
echo "$failed of ${#parts[@]} parts failed; logs in $out/logs.tar.gz"
[ $failed -eq 0 ]
