#!/usr/bin/env bash
# Builds the programs that tools/device/check.sh runs. The machine here needs the CUDA toolkit, but no
# GPU. The machine with the GPU needs little else: the programs depend on the C library only, and load
# the cuBLAS and cuDNN that they find there.
#   tools/device/pack.sh            into build/device.tar.gz, at most 60 MB
# Golden values come from the folder MINI_GOLDEN or MINI_SHARED/golden, if one of these is set.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/lib/setup.sh

build=build/portable out=build/device limit_mb=60
tools=(mini_train mini_infer mini_bench mini_gradcheck)
tests=(test_cuda test_golden)

launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CUDA_COMPILER_LAUNCHER=ccache)
configure "$build" -DCMAKE_BUILD_TYPE=Release -DMINI_PORTABLE=ON -DMINI_CUDA=ON -DMINI_MPI=OFF "${launcher[@]}"
cmake --build "$build" --target "${tools[@]}" "${tests[@]}"

rm -rf "$out"
mkdir -p "$out/golden"
for name in "${tools[@]}"; do strip -o "$out/$name" "$build/tools/$name"; done
for name in "${tests[@]}"; do strip -o "$out/$name" "$build/tests/$name"; done

# The libraries that every machine has.
allowed='^(lib(c|m|pthread|dl|rt)|ld-linux-x86-64)\.so\.[0-9]+$'
for program in "$out"/mini_* "$out"/test_*; do
  needed=$(readelf -d "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  foreign=$(grep -Ev "$allowed" <<<"$needed" || true)
  if [ -n "$foreign" ]; then
    echo "pack: $program needs" $foreign "which a bare machine lacks" >&2
    exit 1
  fi
done

golden=${MINI_GOLDEN:-${MINI_SHARED:+$MINI_SHARED/golden}}
if [ -n "$golden" ]; then # only those of networks and functions in mini
  for name in sain_x2 sain_x4 train_sain_x2_jpeg train_sain_x2_webp train_sain_x4_jpeg quantize_gmm \
    diff_jpeg resize_metrics codecs optimizers; do
    install -m 644 "$golden/$name.safetensors" "$out/golden/"
  done
else
  echo "pack: no golden values (set MINI_GOLDEN to their folder): tests that need them will skip"
fi

{
  echo "commit: $(git describe --always --dirty --abbrev=12)"
  echo "packed: $(date -u '+%Y-%m-%d %H:%M UTC')"
  echo "nvcc: $("$(sed -n 's/^CMAKE_CUDA_COMPILER:.*=//p' "$build/CMakeCache.txt")" --version | sed -n 's/.*release \(.*\)/\1/p')"
  echo "compiler: $(g++ --version | head -n 1)"
  echo "C library: at least $(objdump -T "$out"/mini_* "$out"/test_* | grep -o 'GLIBC_[0-9.]*' |
    sort -uV | tail -n 1)"
  echo "libraries: $(readelf -d "$out"/mini_* | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u | paste -sd' ')"
} >"$out/manifest.txt"

tar -czf "$out.tar.gz" -C "$(dirname "$out")" "$(basename "$out")"
size=$(du -sm "$out.tar.gz" | cut -f1)
cat "$out/manifest.txt"
echo "size: $size MB in $out.tar.gz"
if [ "$size" -gt $limit_mb ]; then
  echo "pack: that is above $limit_mb MB; pack fewer programs" >&2
  exit 1
fi
