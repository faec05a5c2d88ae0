#!/usr/bin/env bash
# Opens a page of `mini_infer report` in a headless browser: no message on its console, an article for each
# picture, and pictures to be seen, at the width of a desk and of a telephone. Skipped (77) where there is
# no Chromium.
#   tests/report/browser.sh MINI_INFER FOLDER_OF_PHOTOS [FOLDER_FOR_SCREENSHOTS]
set -euo pipefail
mini_infer=$1 photos=$2
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
  echo "there is no Chromium"
  exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shots=${3:-$work}
"$mini_infer" report "$photos" --model bicubic --quality 30,90 --out "$work/report.html" >/dev/null
# The same page without its pictures, to compare with.
sed -E 's|(id="data">).*(</script>)|\1[]\2|' "$work/report.html" >"$work/bare.html"

run() {  # what the browser prints goes to stdout, its console to console.log
  timeout 120 "$browser" --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
    --user-data-dir="$work/profile" --virtual-time-budget=10000 --enable-logging=stderr "$@" \
    2>>"$work/console.log"
}
count=$(find "$photos" -type f | wc -l)
run --dump-dom "file://$work/report.html" >"$work/dom.html"
shown=$(grep -o '<article>' "$work/dom.html" | wc -l)
[ "$shown" -eq "$count" ] || { echo "$shown articles for $count pictures"; exit 1; }
for width in 1280 390; do
  for page in report bare; do
    run --window-size="$width,2400" --screenshot="$shots/${page}_$width.png" "file://$work/$page.html" >/dev/null
  done
  full=$(stat -c %s "$shots/report_$width.png") bare=$(stat -c %s "$shots/bare_$width.png")
  [ "$full" -gt $((3 * bare)) ] || { echo "width $width: nothing to be seen ($full, $bare bytes)"; exit 1; }
  echo "width $width: $full bytes of screenshot, $bare without the pictures"
done
if grep CONSOLE "$work/console.log"; then
  echo "the page complains on the console"
  exit 1
fi
