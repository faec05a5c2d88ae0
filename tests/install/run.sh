#!/usr/bin/env bash
# Installs a build and uses it from outside: find_package, the headers, the tools.
#   tests/install/run.sh BUILD_FOLDER INSTALL_FOLDER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
prefix=$2
rm -rf "$prefix"
cmake --install "$1" --prefix "$prefix"
cmake -G Ninja -S "$here" -B "$prefix-user" -DCMAKE_PREFIX_PATH="$(realpath "$prefix")" -DCMAKE_BUILD_TYPE=Release
cmake --build "$prefix-user"
"$prefix-user/main"
"$prefix-user/filter"
"$prefix/bin/mini_infer" --help
"$prefix/bin/mini_train" --help
