#!/usr/bin/env bash
# Configures mini on machines where what it can do without is absent, half present or present, as
# tests/configure/states.txt lists them, and looks at what CMake says and what would be compiled. Then
# tries what the scripts do without: ccache and clang.
#   tests/configure/run.sh WORK_FOLDER [STATE]     all states, or the one of that name
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mini=$(realpath "$here/../..")
only=${2:-}
rm -rf "$1"
mkdir -p "$1"
work=$(realpath "$1")

# The programs of a machine that has no more than mini needs. CMake looks for others only where the
# stand-ins are.
mkdir "$work/bin"
for program in ar as bash c++ cat g++ gcc ld mktemp ninja nm objdump pkg-config ranlib rm sh; do
  ln -s "$(command -v "$program")" "$work/bin/$program"
done
# pkg-config does not know of the machine's MPI, either.
mkdir "$work/pkgconfig"
for folder in $(pkg-config --variable pc_path pkg-config | tr : ' '); do
  for file in "$folder"/*.pc; do
    [[ ! -e $file || $file == *mpi* ]] || ln -sf "$file" "$work/pkgconfig"
  done
done
elsewhere="/bin;/sbin;/usr/bin;/usr/sbin;/usr/local/bin;/usr/local/sbin"

# program FILE TEXT: a program of one line, for sh.
program() {
  mkdir -p "$(dirname "$1")"
  printf '#!/bin/sh\n%s\n' "$2" >"$1"
  chmod +x "$1"
}

# library FILE SOURCE: a shared library.
library() {
  mkdir -p "$(dirname "$1")"
  echo "$2" | c++ -shared -fPIC -x c++ - -o "$1"
}

# mpi NAME: the wrapper compiler of an MPI whose header and library are in $work/NAME.
mpi() {
  program "$work/$1/bin/mpicxx" "case \$1 in
  -showme:compile) echo -I$work/$1/include ;;
  -showme:link) echo -L$work/$1/lib -lstand_in ;;
  *) exit 1 ;;
esac"
  mkdir -p "$work/$1/include" "$work/$1/lib"
}
mpi_header() {
  cat >"$work/$1/include/mpi.h" <<'END'
#define MPI_VERSION 3
#define MPI_SUBVERSION 1
extern "C" int MPI_Init(int*, char***);
extern "C" int MPI_Finalize();
END
}
mpi_library() {
  library "$work/$1/lib/libstand_in.so" \
    'extern "C" int MPI_Init(int*, char***) { return 0; } extern "C" int MPI_Finalize() { return 0; }'
}
mpi mpi
mpi_header mpi
mpi_library mpi
mpi mpi-header
mpi_header mpi-header
mpi mpi-library
mpi_library mpi-library
mpi mpi-hollow
mpi_header mpi-hollow
library "$work/mpi-hollow/lib/libstand_in.so" ''
program "$work/mpi-broken/bin/mpicxx" 'exit 1'

program "$work/nvcc-broken/bin/nvcc" 'exit 1'
program "$work/nvcc-idle/bin/nvcc" 'exit 0'
nvcc=$(command -v nvcc || true)
program "$work/nvcc/bin/nvcc" "exec $nvcc \"\$@\""
mkdir -p "$work/cudnn-old/include"
echo '#define CUDNN_MAJOR 8' >"$work/cudnn-old/include/cudnn.h"
library "$work/cudnn-hollow/lib/libcudnn.so" ''
library "$work/nccl-hollow/lib/libnccl.so" ''

# What CMake is told of stand-ins that have no program.
declare -A told=(
  [cudnn-old]="-DCUDNN_INCLUDE_DIR=$work/cudnn-old/include"
  [cudnn-hollow]="-DCUDNN_LIBRARY=$work/cudnn-hollow/lib/libcudnn.so"
  [nccl-hollow]="-DNCCL_LIBRARY=$work/nccl-hollow/lib/libnccl.so")

# state NAME STAND_INS OPTIONS USED SAYS: configures one machine; says what is wrong.
state() {
  local name=$1 used=$4 says=$5 path=$work/bin options part source
  local folder="$work/${name//[^a-zA-Z0-9]/-}"
  options=(-DCMAKE_BUILD_TYPE=Release -DMINI_TESTS=OFF "-DCMAKE_IGNORE_PATH=$elsewhere")
  [[ $3 == *MINI_CUDA* ]] || options+=(-DMINI_CUDA=OFF)
  for part in $2; do
    path="$work/$part/bin:$path"
    options+=(${told[$part]:-})
  done
  local status=0
  env -i HOME="$work" PATH="$path" PKG_CONFIG_LIBDIR="$work/pkgconfig" \
    "$cmake" -G Ninja -S "$mini" -B "$folder" "${options[@]}" $3 \
    >"$folder.log" 2>&1 || status=$?
  local output
  output=$(tr -s ' \n' ' ' <"$folder.log")  # CMake wraps its errors
  [[ $output =~ $says ]] || { echo "$name: CMake does not say '$says' ($folder.log)"; return 1; }
  if [ "$used" = error ]; then
    [ $status -ne 0 ] || { echo "$name: configures, and should not"; return 1; }
    return
  fi
  [ $status -eq 0 ] || { echo "$name: does not configure ($folder.log)"; return 1; }
  for part in MPI:mini_train/mpi.cpp NCCL:mini_train/nccl.cpp CUDA:ops/cuda/conv.cu; do
    source=${part#*:} part=${part%:*}
    [[ " $used " != *" $part? "* ]] || continue
    if grep -q "/$source\"" "$folder/compile_commands.json"; then
      [[ " $used " == *" $part "* ]] || { echo "$name: would compile $source"; return 1; }
    else
      [[ " $used " != *" $part "* ]] || { echo "$name: would not compile $source"; return 1; }
    fi
  done
}

# scripts: what tools/lib/setup.sh takes for a compiler that works.
scripts() {
  source "$mini/tools/lib/setup.sh"
  program "$work/ccache/bin/ccache" 'exec "$@"'
  program "$work/ccache-broken/bin/ccache" 'exit 1'
  program "$work/clang-broken/bin/clang++" 'exit 1'
  PATH="$work/ccache/bin:$work/bin" compiles ccache c++ || { echo "ccache is not used"; return 1; }
  ! PATH="$work/ccache-broken/bin:$work/bin" compiles ccache c++ || { echo "a broken ccache is used"; return 1; }
  ! PATH="$work/clang-broken/bin:$work/bin" compiles clang++ || { echo "a broken clang is used"; return 1; }
  ! PATH="$work/bin" compiles clang++ || { echo "an absent clang is used"; return 1; }
}

cmake=$(command -v cmake)
passed=0 skipped=0 running=()
trim() { local text="${1#"${1%%[! ]*}"}"; printf '%s' "${text%"${text##*[! ]}"}"; }
settle() {  # waits for the oldest state
  if wait "${running[0]}"; then passed=$((passed + 1)); else failed=1; fi
  running=("${running[@]:1}")
}
failed=0
while IFS='|' read -r name stand_ins options used says; do
  name=$(trim "$name")
  [[ -z $name || $name == \#* ]] && continue
  [[ -z $only || $name == "$only" ]] || continue
  if [[ $name == nvcc:* && -z $nvcc ]] || [[ $name == "no nvcc"* && -e /usr/bin/nvcc ]]; then
    skipped=$((skipped + 1))
    continue
  fi
  [ ${#running[@]} -lt 2 ] || settle
  state "$name" "$(trim "$stand_ins")" "$(trim "$options")" "$(trim "$used")" "$(trim "$says")" &
  running+=($!)
done <"$here/states.txt"
while [ ${#running[@]} -gt 0 ]; do settle; done
if [ -z "$only" ]; then
  if scripts; then passed=$((passed + 1)); else failed=1; fi
fi
echo "$passed states configure as they should; $skipped left out for want of nvcc (or of its absence)"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
