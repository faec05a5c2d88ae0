#!/usr/bin/env bash
# What the object with the kernels of one instruction set may hold: names of its own namespace for the
# linker, and no state. See cmake/MiniIsas.cmake for why.
#   tests/isa/symbols.sh OBJECT SET [sanitized]
set -euo pipefail
object=$1 isa=$2 sanitized=${3:-}
namespace="_ZN4mini3cpu${#isa}$isa"
failed=0
complain() {
  echo "$object: $1:" >&2
  sed 's/^/  /' >&2
  failed=1
}

visible=$(nm --defined-only --extern-only --format=posix "$object" | cut -d' ' -f1)
kernels=$(grep -c "^${namespace}6conv2d" <<<"$visible" || true)
[ "$kernels" -eq 1 ] || complain "of conv2d there should be one" <<<"$kernels"
# Of the whole program, and no code: whether AddressSanitizer knows the globals.
whole='___asan_globals_registered'
strangers=$(grep -v "^$namespace" <<<"$visible" | grep -vxE "$whole" | sort -u || true)
[ -z "$strangers" ] || c++filt <<<"$strangers" | complain "the linker may take these for other code"

# Variables, thread-local ones, and what runs before main. (A sanitizer has some of each.)
if [ -z "$sanitized" ]; then
  state=$(objdump --section-headers "$object" | awk '
    $2 ~ /^\.(bss|tbss|tdata|data|init_array|ctors)/ && $2 !~ /^\.data\.rel\.ro|DW\.ref/ &&
    $3 !~ /^0+$/ { print $2, "0x" $3 }')
  [ -z "$state" ] || complain "these sections are state, of which each set would have its own" <<<"$state"
fi
exit $failed
