// The page of infer/report.h: what stands around its numbers and pictures. Marks between @ are filled in.
// It loads nothing, works with the keyboard alone, and follows the reader's choice of light or dark.
#pragma once

#include <string_view>

namespace mini::infer {

inline constexpr std::string_view report_page = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<link rel="icon" href="data:,">
<title>@title@</title>
<style>
:root { color-scheme: light dark; --line: #ccc; --soft: #f3f3f3; --ink: #222; --page: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --line: #444; --soft: #262626; --ink: #ddd; --page: #181818; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--page); }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; border-top: 1px solid var(--line);
  padding-top: 1rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
svg { display: block; width: 100%; max-width: 46rem; height: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
.controls { display: flex; flex-wrap: wrap; gap: .5rem 1rem; margin: .5rem 0; }
select, input { font: inherit; accent-color: #0072b2; }
:focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
.panel { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
.viewer { position: relative; width: 100%; line-height: 0; }
.viewer img { width: 100%; height: auto; }
.viewer .over { position: absolute; inset: 0; }
.viewer .edge { position: absolute; top: 0; bottom: 0; width: 2px; margin-left: -1px;
  background: #fff; box-shadow: 0 0 0 1px #0008; pointer-events: none; }
.slide { display: block; width: 100%; margin: .3rem 0; }
figure { margin: 0; }
figcaption { font-size: .85rem; line-height: 1.35; margin-top: .2rem; }
.sample { width: 9rem; background: var(--soft); padding: .4rem; border-radius: .3rem; }
.sample img { width: 100%; height: auto; image-rendering: pixelated; display: block; }
.sample img.map { image-rendering: auto; margin-top: .3rem; }
.shown { box-shadow: 0 0 0 2px #0072b2; }
</style>
</head>
<body>
<h1>@title@</h1>
<p>Each picture is made small, stored by a codec, and made large again. Beside that: JPEG and WebP
of the full-size picture in as many bytes. PSNR and SSIM are of luma; bits are given for each pixel
of the large picture (HR) and of the small one (LR).</p>
<section aria-label="Curves">@curves@</section>
<section aria-label="Means over the images" class="wide">@table@</section>
<p>Left of the edge is the original; move the slider with the mouse or the arrow keys. Below: the
part in which the network errs most, enlarged, and the error of the whole, times @gain@.</p>
<main></main>
<noscript>The pictures below need JavaScript; the curves and the table above do not.</noscript>
<script type="application/json" id="data">@data@</script>
<script>
"use strict";
const make = (kind, parent, properties = {}) =>
  parent.appendChild(Object.assign(document.createElement(kind), properties));

function choice(parent, text, names, changed) {
  const label = make("label", parent, { textContent: text + " " });
  const select = make("select", label);
  names.forEach((name, i) => make("option", select, { value: i, textContent: name }));
  select.addEventListener("change", changed);
  return select;
}

function show(image) {
  const article = make("article", document.querySelector("main"));
  make("h2", article, { textContent: image.name + ", " + image.size });
  const controls = make("div", article, { className: "controls" });
  const setting = choice(controls, "codec and quality", image.trips.map(t => t.setting), draw);
  const method = choice(controls, "method", image.trips[0].entries.map(e => e.method), draw);

  const viewer = make("div", article, { className: "viewer" });
  viewer.style.maxWidth = image.width * 1.5 + "px";
  const back = make("img", viewer, { alt: "", width: image.width, height: image.height });
  const original = make("img", viewer, { className: "over", src: image.image,
    alt: "original of " + image.name, width: image.width, height: image.height });
  const edge = make("div", viewer, { className: "edge" });
  const slider = make("input", article, { type: "range", className: "slide", min: 0, max: 100,
    value: 50, ariaLabel: "how much of the original is shown" });
  slider.style.maxWidth = viewer.style.maxWidth;
  const slide = () => {
    original.style.clipPath = "inset(0 " + (100 - slider.value) + "% 0 0)";
    edge.style.left = slider.value + "%";
  };
  slider.addEventListener("input", slide);
  viewer.addEventListener("pointermove", event => {
    if (event.pointerType === "mouse" && event.buttons === 0) return;
    const box = viewer.getBoundingClientRect();
    slider.value = Math.round(100 * (event.clientX - box.left) / box.width);
    slide();
  });
  const caption = make("p", article, { ariaLive: "polite" });
  const panel = make("div", article, { className: "panel" });

  function sample(title, picture, map, facts, chosen) {
    const figure = make("figure", panel, { className: "sample" + (chosen ? " shown" : "") });
    make("img", figure, { src: picture, alt: title + ", enlarged part" });
    if (map) make("img", figure, { src: map, className: "map", alt: title + ", error" });
    make("figcaption", figure, { textContent: title + (facts ? ": " + facts : "") });
  }
  function draw() {
    const trip = image.trips[setting.value];
    const names = trip.entries.map(e => e.method);
    const before = method.selectedOptions[0] ? method.selectedOptions[0].textContent : names[0];
    method.replaceChildren();
    names.forEach((name, i) => make("option", method, { value: i, textContent: name }));
    method.value = Math.max(names.indexOf(before), 0);
    const entry = trip.entries[method.value];
    back.src = entry.image;
    back.alt = image.name + " by " + entry.method;
    caption.textContent = entry.method + ", quality " + entry.quality + ": " + entry.bytes +
      " bytes, " + entry.psnr + " dB, SSIM " + entry.ssim + ", " + entry.hrBpp +
      " bits per HR pixel, " + entry.lrBpp + " per LR pixel";
    panel.replaceChildren();
    sample("small image", trip.small, null, trip.setting, false);
    sample("original", image.crop, null, "", false);
    for (const one of trip.entries)
      sample(one.method, one.crop, one.error, one.psnr + " dB, " + one.bytes + " bytes",
             one === entry);
  }
  draw();
  slide();
}
JSON.parse(document.getElementById("data").textContent).forEach(show);
</script>
</body>
</html>
)html";

}  // namespace mini::infer
