# Sourced by tools/quickstart.sh and tools/test.sh: makes sure that what mini builds on is installed.
# Debian 12 package names; with root (or passwordless sudo) they are installed, else the one command
# to run is printed.

mini_packages=(g++ cmake ninja-build pkg-config libjpeg62-turbo-dev libwebp-dev zlib1g-dev libstb-dev
               nlohmann-json3-dev libcli11-dev libfmt-dev libgtest-dev)

# setup PACKAGE...: installs those of the list and of the arguments that are missing.
setup() {
  local missing=() package
  for package in "${mini_packages[@]}" "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      echo "These packages are missing. Please run:" >&2
      echo "  sudo apt-get install ${missing[*]}" >&2
      exit 1
    fi
    as_root=(sudo -n)
  fi
  echo "Installing: ${missing[*]}"
  "${as_root[@]}" apt-get update -q >/dev/null
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
}

# configure DIRECTORY OPTION...: a build folder, through ccache where it is installed.
configure() {
  local folder=$1
  shift
  local launcher=()
  # ccache takes precompiled headers only when it need not mind their macros and dates.
  command -v ccache >/dev/null && launcher=(
    "-DCMAKE_CXX_COMPILER_LAUNCHER=env;CCACHE_SLOPPINESS=pch_defines,time_macros;ccache" -DMINI_PCH=ON)
  cmake -G Ninja -B "$folder" "${launcher[@]}" "$@" >/dev/null
}
