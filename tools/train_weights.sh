#!/usr/bin/env bash
# Trains the weights that come with mini (models/weights/), at the lowest priority, for days if need be:
# starts the run of a configuration in configs/weights, or goes on with it from where it stopped. Where the
# run's own state is gone, it starts from the weights that are there. Ctrl-C or SIGTERM saves and ends.
#
#   tools/train_weights.sh PHOTOS [OPTION...] [-- OPTION OF mini_train...]
#
#   PHOTOS             a folder of photographs to train on
#   --name NAME        which: configs/weights/NAME.json (sain_x2)
#   --out FOLDER       where the run lives (out/weights/NAME)
#   --weights FOLDER   where the weights and their card go (models/weights); photographs.md there is what
#                      the card says of the photographs
#   --every HOURS      how often they are written while it trains (6)
#   --test FOLDER      photographs for the table in the card, as often as wanted (data/photos/held_out)
#   --nice N           how far it steps back behind other programs, as in nice (19: the most)
#   --programs FOLDER  mini_train and mini_infer (built into build/weights)
#   --publish          only write the weights and the card, from the run as it is
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
  exit 1
}
# A folder as it was meant by the caller.
absolute() { realpath -m "$(cd "$here" && realpath -m -- "$1")"; }

photos='' name=sain_x2 out='' weights=models/weights every=6 nice=19 programs='' publish_only=false
tests=()
while [ $# -gt 0 ]; do
  case "$1" in
    --name) name=$2 && shift 2 ;;
    --out) out=$(absolute "$2") && shift 2 ;;
    --weights) weights=$(absolute "$2") && shift 2 ;;
    --every) every=$2 && shift 2 ;;
    --test) tests+=("$(absolute "$2")") && shift 2 ;;
    --nice) nice=$2 && shift 2 ;;
    --programs) programs=$(absolute "$2") && shift 2 ;;
    --publish) publish_only=true && shift ;;
    --) shift && break ;;
    -*) usage ;;
    *) [ -z "$photos" ] && photos=$(absolute "$1") && shift || usage ;;
  esac
done
[ -n "$photos" ] || usage
out=${out:-out/weights/$name}
[ ${#tests[@]} -gt 0 ] || tests=(data/photos/held_out)
config=configs/weights/$name.json
file=$weights/$name.safetensors

if [ -z "$programs" ]; then
  source tools/lib/setup.sh
  setup
  configure build/weights -DCMAKE_BUILD_TYPE=Release -DMINI_TESTS=OFF -DMINI_ISAS=native
  build build/weights mini_train mini_infer
  programs=build/weights/tools
fi

# The processor time of the run, as its log tells it.
cpu_hours() {
  sed -En 's/.*"cpu_seconds":([0-9.e+-]+).*/\1/p' "$out/log.jsonl" | awk '{ last = $1 } END { printf "%.1f", last / 3600 }'
}

# Writes the weights and the card, each in one step.
publish() {
  local commit step
  mkdir -p "$weights"
  "$programs/mini_infer" export "$out" "$file.new.safetensors" >/dev/null
  mv "$file.new.safetensors" "$file"
  step=$("$programs/mini_infer" info "$file" | sed -n 's/^metadata  *step = //p')
  commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
  {
    echo "# $name"
    echo
    "$programs/mini_infer" info "$file" | sed -n 's/^network  *\(.*\)/Network: \1./p; s/^parameters  *\(.*\)/\1 parameters./p'
    echo
    echo "Trained by \`tools/train_weights.sh\` at commit $commit, on CPUs: $step steps, $(cpu_hours)" \
      "CPU-hours. The weights are the average that the run keeps (\`train.ema\`)."
    echo
    echo "Data: $(find -L "$photos" -type f | grep -ciE '\.(jpe?g|png|webp)$') photographs, none of them in the table below."
    [ ! -f "$weights/photographs.md" ] || cat "$weights/photographs.md"
    echo
    echo "Settings: \`$config\`. What the run started from: $(cat "$out/origin")."
    for folder in "${tests[@]}"; do
      echo
      echo "## $(basename "$folder")"
      echo
      nice -n "$nice" "$programs/mini_infer" evaluate "$folder" --weights "$file" --quality 30,50,70,80,90
    done
  } >"$file.new.md"
  mv "$file.new.md" "$weights/$name.md"
  echo "wrote $file and $weights/$name.md (step $step)"
}

if $publish_only; then
  publish
  exit
fi

start=(--out "$out")
if compgen -G "$out/step_*.safetensors" >/dev/null; then
  start+=(--resume)
elif [ -f "$file" ]; then
  start+=(--init "$file")
fi
mkdir -p "$out"
[ -f "$out/origin" ] || case "${start[*]}" in
  *--init*) echo "the weights of step $("$programs/mini_infer" info "$file" | sed -n 's/^metadata  *step = //p')" ;;
  *) echo "random weights" ;;
esac >"$out/origin"

trainer='' stopped=false
stop() {
  stopped=true
  [ -z "$trainer" ] || kill -TERM "$trainer" 2>/dev/null || true
}
trap stop INT TERM

# Linux shares the processors among sessions first, so the trainer gets one of its own, as low as itself.
setsid nice -n "$nice" "$programs/mini_train" "$config" --set "data.train=$photos" "${start[@]}" "$@" &
trainer=$!
! $stopped || stop
sleep 0.1  # until it has that session
{ echo "$nice" >"/proc/$trainer/autogroup"; } 2>/dev/null || true

next=$((SECONDS + every * 3600))
while kill -0 $trainer 2>/dev/null; do
  sleep 1 &
  wait -n $trainer $! 2>/dev/null || true
  if [ $SECONDS -ge $next ]; then
    publish
    next=$((SECONDS + every * 3600))
  fi
done
status=0
wait $trainer || status=$?
publish
exit $status
