# tools/device/check.sh sources this file. It finds programs and libraries, and has a function for each
# part of the check. The output of a part is its log; the last line "key: ..." goes into the table.

have() { command -v "$1" >/dev/null 2>&1; }

# Sets `programs` to the folders of the tools and of the tests, separated by a colon.
find_programs() {
  if [ -n "$emulated" ]; then
    programs=$emulated/tools:$emulated/tests
    [ -x "$emulated/tests/test_cuda" ] || {
      echo "check: no $emulated/tests/test_cuda; build it with -DMINI_CUDA=EMULATED" >&2
      return 1
    }
    return
  fi
  if ! nvidia-smi -L 2>/dev/null | grep -q '^GPU'; then
    echo "check: there is no NVIDIA GPU here that nvidia-smi can see; nothing was checked." >&2
    echo "Without one, --emulated BUILD tries the script on a build with MINI_CUDA=EMULATED." >&2
    return 1
  fi
  if [ -e build/device.tar.gz ]; then
    programs=build/device:build/device
    tar -xzf build/device.tar.gz -C build
    return
  fi
  echo "no build/device.tar.gz (tools/device/pack.sh makes it elsewhere), so building in build/check-build"
  mkdir -p build/check-build
  if cmake -G Ninja -B build/check-build -DMINI_CUDA=ON >build/check-build/log.txt 2>&1 &&
    cmake --build build/check-build >>build/check-build/log.txt 2>&1; then
    programs=build/check-build/tools:build/check-build/tests
    return
  fi
  grep -A4 -E 'CMake Error|not found|error:|FAILED' build/check-build/log.txt | head -n 20 >&2
  echo "check: mini cannot be built here (see above, and build/check-build/log.txt). Run" \
    "tools/device/pack.sh where it can, and bring build/device.tar.gz." >&2
  return 1
}

# Prints the path of a program. `mini` runs it with the CUDA libraries.
program() {
  local folder
  for folder in ${programs//:/ }; do
    [ ! -x "$folder/$1" ] || { echo "$folder/$1" && return; }
  done
  echo "check: there is no $1 in ${programs//:/ or }" >&2
  return 1
}
mini() {
  local file
  file=$(program "$1") || return
  LD_LIBRARY_PATH=$library_path "$file" "${@:2}"
}

# Prints the Python interpreter that has PyTorch or, without one, any.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    "$candidate" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' 2>/dev/null && echo "$candidate" && return
  done
  command -v python3
}

# Sets `library_path` to the folders, if any are needed, in which mini finds cuBLAS and cuDNN.
find_libraries() {
  local folders
  library_path=${LD_LIBRARY_PATH:-}
  [ -z "$emulated" ] || return 0
  found() { mini test_cuda --gtest_filter=CudaLibraries.HaveEveryFunction; }
  ! found >/dev/null 2>&1 || return 0
  # Python's packages come first: they have all libraries, in versions that fit together.
  folders=$("$(find_python)" - <<'PYTHON'
import glob, site, sys
roots = [*site.getsitepackages(), site.getusersitepackages(), *sys.path]
print(":".join(dict.fromkeys(f for r in roots if r for f in sorted(glob.glob(r + "/nvidia/*/lib")))))
PYTHON
  )
  library_path="$folders:/usr/local/cuda/lib64:/usr/local/cuda/lib${library_path:+:$library_path}"
  found >/dev/null 2>&1 || {
    found 2>&1 | grep -m 2 'cuda: ' >&2
    echo "check: neither the system nor Python's packages have what is missing here. Install cuBLAS" \
      "and cuDNN 9 (pip: nvidia-cublas nvidia-cudnn-cu13)." >&2
    return 1
  }
}

commit() {
  git describe --always --dirty --abbrev=12 2>/dev/null ||
    sed -n 's/^commit: //p' build/device/manifest.txt 2>/dev/null
}
device_name() {
  [ -z "$emulated" ] || { echo "emulated device" && return; }
  nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -n 1 | sed 's/, /, driver /'
}

# Shortens a long log to its beginning and its end.
shorten() {
  [ "$(stat -c %s "$1")" -gt 600000 ] || return 0
  { head -c 200000 "$1" && printf '\n[...]\n' && tail -c 300000 "$1"; } >"$1.short"
  mv "$1.short" "$1"
}

part_facts() {
  local python
  python=$(find_python)
  cat build/device/manifest.txt 2>/dev/null
  uname -a
  nproc
  free -m | head -n 2
  program test_cuda
  echo "LD_LIBRARY_PATH for mini: $library_path"
  LD_LIBRARY_PATH=$library_path ldd "$(program test_cuda)"
  LD_DEBUG=libs mini test_cuda --gtest_filter=CudaLibraries.HaveEveryFunction 2>&1 | grep 'calling init' # libraries loaded later
  mini mini_bench --version
  local pytorch
  pytorch=$("$python" -c 'import torch; print("PyTorch", torch.__version__)' 2>/dev/null || echo no PyTorch)
  echo "$python: $pytorch"
  for tool in nvcc compute-sanitizer nsys ncu cmake ninja; do have $tool && echo "has $(command -v $tool)"; done
  if [ -n "$emulated" ]; then
    echo "key: emulated device, no GPU"
    return
  fi
  nvidia-smi
  nvidia-smi -q -d CLOCK,POWER,PERFORMANCE,ECC
  echo "key: $(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader | head -n 1)," \
    "$pytorch"
}

golden() { [ ! -d build/device/golden ] || export MINI_GOLDEN=$PWD/build/device/golden; }

# suites PROGRAM SECONDS PREFIX...: runs each suite of a test program in a process of its own, since
# after a failed kernel the process can no longer use the device. If a suite ends early, its tests run
# one by one. No suite is started after SECONDS, and a running one is soon stopped. Sets passed, failed,
# skipped, clean (suites) and late (unfinished suites), and writes all output to $work/suites.log.
suites() {
  local file list suite name until=$((SECONDS + $2 * ${slow:-1})) log=$work/suites.log
  file=$(program "$1") || return
  local -a prefix=("${@:3}")
  golden
  list=$(mini "$1" --gtest_list_tests) || { echo "$list" && return 1; }
  some() { # FILTER
    echo "--- $1"
    LD_LIBRARY_PATH=$library_path timeout -k 1 $((until - SECONDS + 3)) "${prefix[@]}" "$file" \
      --gtest_filter="$1" 2>&1
  }
  clean=0 late=0
  : >"$log"
  # The registry takes longest, so it comes last.
  for suite in $(grep -E '^[^ ]+\.' <<<"$list" | sed 's/ .*//' | awk '/Registry/ {last = last $0 "\n"; next} 1
    END {printf "%s", last}'); do
    [ $SECONDS -lt $until ] || { late=$((late + 1)) && continue; }
    some "$suite*" >"$work/suite.log"
    case $? in
      0) clean=$((clean + 1)) ;;
      124 | 137) late=$((late + 1)) ;;
      *)
        if ! grep -q '^\[==========\].* ran\.' "$work/suite.log"; then
          for name in $(awk -v suite="$suite" '/^[^ ]/ {inside = $1 == suite; next} inside {print $1}' <<<"$list"); do
            [ $SECONDS -lt $until ] || break
            some "$suite$name" || echo "[  FAILED  ] $suite$name (0 ms)"
          done >>"$work/suite.log"
        fi
        ;;
    esac
    cat "$work/suite.log" >>"$log"
  done
  cat "$log"
  failures=$(grep -E '^\[  FAILED  \].*ms\)$' "$log" | awk '{print $4}' | sort -u)
  passed=$(grep -c '^\[       OK \]' "$log")
  skipped=$(grep -c '^\[  SKIPPED \].*ms)$' "$log")
  failed=$(grep -c . <<<"$failures")
  [ "$failed" -eq 0 ] || printf 'failed: %s\n' $failures
}

all_suites() { # PROGRAM SECONDS
  suites "$1" "$2" || return 1
  echo "key: $passed passed, $failed failed, $skipped skipped; $late suites not finished"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] && [ "$late" -eq 0 ]
}
part_tests() { all_suites test_cuda 82; }
part_golden() { MINI_TEST_DEVICE=cuda all_suites test_golden 34; }

# Compares derivatives with differences, both computed on the device.
part_gradcheck() {
  local status
  mini mini_gradcheck --device cuda | tee "$work/gradcheck.log"
  status=${PIPESTATUS[0]}
  tail -n 1 "$work/gradcheck.log" | sed 's/^/key: /'
  return "$status"
}

# Runs test_cuda under a sanitizer, which makes tests much slower. Tests that are not reached in time
# are counted, but are no failure.
sanitizer() { # TOOL SECONDS
  have compute-sanitizer || { echo "key: no compute-sanitizer here" && return 1; }
  suites test_cuda "$2" compute-sanitizer --tool "$1" --error-exitcode 9 --print-limit 20 || return 1
  local errors
  errors=$(sed -n 's/^=* ERROR SUMMARY: \([0-9]*\) error.*/\1/p; s/^=* RACECHECK SUMMARY: \([0-9]*\) hazard.*/\1/p' \
    "$work/suites.log" | awk '{n += $1} END {print n + 0}')
  echo "key: $errors errors; $passed tests passed, $failed failed; $late suites not finished"
  [ "$errors" -eq 0 ] && [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
part_memcheck() { sanitizer memcheck 38; }
part_racecheck() { sanitizer racecheck 33; }

# train NAME OPTION...: trains the full SAIN x2 (on the emulated device a tiny one) in $work/NAME. The
# array `under`, if set, is a command that runs the program.
train() {
  local config=configs/sain.json small=()
  [ -z "$emulated" ] || config=configs/tiny.json small=(--set data.batch=1)
  LD_LIBRARY_PATH=$library_path "${under[@]}" "$(program mini_train)" "$config" --device cuda \
    --set data.train=data/photos/train --set validation.every=1000000 --set checkpoint.every=1000000 \
    --set validation.folders=[] --out "$work/$1" "${small[@]}" "${@:2}"
}

# Compares exact mode with stored mode, and with a second run of exact mode, bit for bit after five steps.
part_exact() {
  local under=() precision run memory same=0 other=0 precisions=(float32 tf32 bfloat16)
  [ -z "$emulated" ] || precisions=(float32)
  for precision in "${precisions[@]}"; do
    for run in exact stored again; do # in parallel, since starting takes longer than computing
      memory=$run
      [ $run != again ] || memory=exact
      train "$precision-$run" --steps 5 --set precision="$precision" --set memory=$memory &
    done
    wait
    for run in stored again; do
      if "$(find_python)" tools/device/same_tensors.py "$work/$precision-exact" "$work/$precision-$run"; then
        same=$((same + 1))
      else
        other=$((other + 1))
      fi
    done
    rm -rf "$work/$precision"-*
  done
  echo "key: after 5 steps $same of $((same + other)) pairs have the same bits (exact and stored mode," \
    "exact mode twice; ${precisions[*]})"
  [ $other -eq 0 ]
}

# Trains with the real codec and measures utilisation, in the fastest precision, since the host then
# has the least time to keep the GPU busy.
busy() {
  local under=("$(find_python)" tools/device/busy.py --seconds 22 --least 90 --)
  local every=20
  [ -z "$emulated" ] || every=1 under=("$(find_python)" tools/device/busy.py --seconds 100 --skip 0 --no-gpu --)
  train "busy_$1" --steps 1000000 --set log.every=$every --set precision=bfloat16 --set codec.format="$1"
}
part_train_jpeg() { busy jpeg; }
part_train_webp() { busy webp; }

part_kernels() {
  local options=() precision ceilings=()
  [ -z "$emulated" ] || options=(--runs 1 --batch 1 --size 32 --copy 1 --product 64)
  for precision in float32 tf32 bfloat16; do
    echo "--- $precision"
    mini mini_bench kernels --device cuda --precision "$precision" "${options[@]}" \
      --json "$work/logs/kernels_$precision.json" >"$work/kernels.log" || return 1
    cat "$work/kernels.log"
    ceilings+=("$precision: $(sed -n 's/^ceilings: //p' "$work/kernels.log")")
  done
  echo "key: $(printf '%s; ' "${ceilings[@]}" | sed 's/; $//')"
}

part_compare() {
  "$(find_python)" tools/bench/compare_pytorch_gpu.py --bench "$(program mini_bench)" \
    --library-path "$library_path" --seconds 130 --json "$work/logs/compare.json" \
    --markdown "$work/logs/compare.md"
}
