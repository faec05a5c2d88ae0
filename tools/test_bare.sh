#!/usr/bin/env bash
# Does in a bare Debian what README says. Makes a minimal root by debootstrap, puts what HEAD holds into
# it, and runs the scripts there: as a user who may install nothing, to whom both must print the one
# command to run, and as root, for whom they must work.
#   tools/test_bare.sh [--release bookworm|trixie] [--part quickstart|all] [--mirror URL]
# Needs root, debootstrap, and this machine's apt sources, whose mirror it takes unless one is named. The
# bare roots are kept in build/bare, so that only the first run of each takes minutes. Ends with 0 when all
# is green, with 1 when something is not, and with 77 where the machine does not allow such a test.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,8s/^# \{0,1\}//p' tools/test_bare.sh; exit 1; }
refuse() { echo "test_bare: $*" >&2; exit 1; }
skip() { echo "test_bare: skipped: it $*" >&2; exit 77; }
release=bookworm part=all mirror=
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case $1 in
    --release) release=$2 ;;
    --part) part=$2 ;;
    --mirror) mirror=$2 ;;
    *) usage ;;
  esac
  shift 2
done
case $release in bookworm | trixie) ;; *) usage ;; esac
case $part in quickstart | all) ;; *) usage ;; esac
[ "$(id -u)" -eq 0 ] || skip "mounts file systems and changes its root, so it must be run by root"
command -v debootstrap >/dev/null || refuse "debootstrap is missing; please run: apt-get install debootstrap"

# In a namespace of its own, so that every mount and process ends with the script, however it ends. The
# root is removed outside of it, where nothing is mounted on it.
if [ -z "${MINI_BARE_ROOT:-}" ]; then
  unshare --mount --pid --fork true 2>/dev/null ||
    skip "needs namespaces, which this root may not make (unshare --mount --pid)"
  MINI_BARE_ROOT=$(mktemp -d "${TMPDIR:-/tmp}/mini-bare.XXXXXX")
  export MINI_BARE_ROOT
  unshare --mount --propagation private --pid --fork --kill-child \
    tools/test_bare.sh --release "$release" --part "$part" ${mirror:+--mirror "$mirror"} &
  inside=$!
  # What fails in here would become the script's exit status: kill does where the work has ended by itself.
  trap 'kill -KILL $inside 2>/dev/null || true
        wait || true
        rm -rf --one-file-system "$MINI_BARE_ROOT"' EXIT
  trap 'exit 130' INT TERM
  wait $inside
  exit
fi
root=$MINI_BARE_ROOT

cache=build/bare
base=$cache/$release
logs=build/logs
mkdir -p "$cache" "$logs"

# Of the machine's sources the first that has this release.
find_mirror() {
  local uri
  for uri in $(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u); do
    if /usr/lib/apt/apt-helper download-file "${uri}dists/$release/Release" "$cache/Release" >/dev/null 2>&1; then
      rm "$cache/Release"
      echo "$uri"
      return
    fi
  done
  refuse "none of this machine's apt sources has $release; name one with --mirror"
}

# The bare root, made once. apt reaches the mirror in it as it does outside.
make_base() {
  local partial=$base.partial proxy
  rm -rf "$partial"
  proxy=$(apt-config shell proxy Acquire::http::Proxy)
  eval "$proxy"
  http_proxy=${proxy:-${http_proxy:-}} debootstrap --variant=minbase \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$release" "$partial" "$mirror"
  apt-config dump | grep -E '^Acquire::(https?|Check-|Retries|ForceIP)' >"$partial/etc/apt/apt.conf.d/90machine" || true
  if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    mkdir -p "$partial/etc/ssl/certs"
    cp /etc/ssl/certs/ca-certificates.crt "$partial/etc/ssl/certs/"
  fi
  chroot "$partial" useradd --create-home --shell /bin/bash user
  mv "$partial" "$base"
}

make_root() {
  cp -a "$base/." "$root"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  mkdir "$root/home/user/mini"
  git archive HEAD | tar -x -C "$root/home/user/mini"
  chroot "$root" chown -R user:user /home/user
}

# in_root USER COMMAND: as after a login of USER, in the checkout.
in_root() {
  chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 HOME="$([ "$1" = root ] && echo /root || echo "/home/$1")" \
    setpriv --reuid "$1" --regid "$1" --init-groups bash -c "cd /home/user/mini && $2"
}

# A user without sudo is told the one command, and nothing is left behind.
refuses() {
  local script=$1 before after status=0 output
  before=$(cd "$root" && find home tmp var/tmp | sort)
  output=$(in_root user "$script" 2>&1) || status=$?
  after=$(cd "$root" && find home tmp var/tmp | sort)
  echo "$output"
  [ $status -eq 1 ] || refuse "$script ended with $status, not 1"
  [ "$(grep -c 'apt-get install' <<<"$output")" -eq 1 ] || refuse "$script does not print one command"
  diff <(echo "$before") <(echo "$after") || refuse "$script leaves files behind"
}

quickstart() {
  in_root root 'tools/quickstart.sh --smoke'
  local out=$root/home/user/mini/out/smoke pictures photographs
  pictures=$(find "$out/pictures" -name '*_compare.png' | wc -l)
  photographs=$(find "$root/home/user/mini/data/photos/held_out" -type f -name '*.png' | wc -l)
  [ "$(grep -c '^| jpeg | [0-9]* | sain |' "$out/table.md")" -eq 5 ] || refuse "the table has not one line for each quality"
  [ "$pictures" -eq $((5 * photographs)) ] || refuse "$pictures comparisons of $photographs photographs"
}

# What tools/test.sh prints to a user, root does, and the user goes on.
told() {
  local command
  chroot "$root" chown -R user:user /home/user
  # The script ends with 1, as `refuses` has seen.
  command=$({ in_root user 'tools/test.sh --quick' 2>&1 || true; } | grep 'apt-get install')
  in_root root "${command#"${command%%[! ]*}"}"
}

failed=0
step() {
  local name=$1 start=$SECONDS log=$logs/bare-$release-$1.log
  shift
  # In the background, since bash heeds no failure within a function that it tests.
  "$@" >"$log" 2>&1 &
  if wait $!; then
    printf '%s %-20s ok      %4d s\n' "$release" "$name" $((SECONDS - start))
  else
    printf '%s %-20s FAILED  %4d s   (%s)\n' "$release" "$name" $((SECONDS - start)) "$log"
    tail -n 40 "$log"
    failed=1
  fi
}

if [ ! -d "$base" ]; then
  [ -n "$mirror" ] || mirror=$(find_mirror)
  step root make_base
  [ $failed -eq 0 ] || exit 1
fi
step copy make_root
[ $failed -eq 0 ] || exit 1
step user-quickstart refuses tools/quickstart.sh
step user-test refuses tools/test.sh
step quickstart quickstart
if [ "$part" = all ]; then
  step told told
  step user-test-quick in_root user 'tools/test.sh --quick'
fi
exit $failed
