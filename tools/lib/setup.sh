# Sourced by tools/quickstart.sh and tools/test.sh: makes sure that what mini builds on is installed,
# configures, and builds. Package names are those of Debian 12 and 13; with root (or passwordless sudo)
# missing ones are installed, else the one command to run is printed.

mini_packages=(g++ cmake ninja-build pkg-config libjpeg62-turbo-dev libpng-dev libwebp-dev zlib1g-dev
               nlohmann-json3-dev libcli11-dev libfmt-dev)

# setup PACKAGE...: installs those of the list and of the arguments that are missing.
setup() {
  local missing=() package
  if ! command -v dpkg-query >/dev/null; then
    echo "No Debian: taking what its packages ${mini_packages[*]} $* hold as installed." >&2
    return
  fi
  for package in "${mini_packages[@]}" "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      local ask="su -c"
      command -v sudo >/dev/null && ask="sudo sh -c"
      echo "Packages are missing. Please run:" >&2
      echo "  $ask 'apt-get update && apt-get install -y --no-install-recommends ${missing[*]}'" >&2
      exit 1
    fi
    as_root=(sudo -n)
  fi
  echo "Installing: ${missing[*]}"
  "${as_root[@]}" apt-get update -q >/dev/null
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
}

# compiles PROGRAM...: can it compile and link a C++ program? An installed one may lack the standard
# library, or a folder that it may write to.
compiles() {
  local folder status=0
  folder=$(mktemp -d)
  printf '#include <iostream>\nint main() { std::cout << 1; }\n' >"$folder/probe.cpp"
  (cd "$folder" && "$@" -c probe.cpp -o probe.o && "${@: -1}" probe.o -o probe) >/dev/null 2>&1 || status=1
  rm -rf "$folder"
  return $status
}

# configure FOLDER OPTION...: a build folder, through ccache where that works. Says which of the parts
# that mini can do without are used.
configure() {
  local folder=$1 launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=)
  shift
  if command -v ccache >/dev/null; then
    # ccache takes precompiled headers only when it need not mind their macros and dates.
    if compiles ccache c++; then
      launcher=("-DCMAKE_CXX_COMPILER_LAUNCHER=env;CCACHE_SLOPPINESS=pch_defines,time_macros;ccache"
                -DMINI_PCH=ON)
    else
      echo "ccache: OFF (it does not compile here)"
    fi
  fi
  mkdir -p "$folder"
  cmake -G Ninja -B "$folder" "${launcher[@]}" "$@" >"$folder/configure.log" || return
  sed -En 's/^-- ((CUDA backend|MPI|NCCL): .*)/\1/p' "$folder/configure.log"
}

# build FOLDER TARGET...: on a terminal ninja draws one line again and again; elsewhere every tenth of
# the way is a line. What the compiler says is always shown.
build() {
  local folder=$1
  shift
  local command=(cmake --build "$folder" ${1:+--target "$@"})
  if [ -t 1 ]; then
    NINJA_STATUS="[%f/%t] " "${command[@]}"
  else
    NINJA_STATUS="[%f/%t] " "${command[@]}" | tenths
  fi
}

# tenths: of ninja's lines of progress every tenth of the way, and all others. (Debian's awk would
# wait for a block of lines.)
tenths() {
  local line tenth=0
  while IFS= read -r line; do
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
      [ $((10 * BASH_REMATCH[1] / BASH_REMATCH[2])) -gt $tenth ] || continue
      tenth=$((10 * BASH_REMATCH[1] / BASH_REMATCH[2]))
      line=${BASH_REMATCH[0]}
    fi
    printf '%s\n' "$line"
  done
}
