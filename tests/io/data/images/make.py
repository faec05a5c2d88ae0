#!/usr/bin/env python3
"""Makes the small images beside it with Pillow: FILE in some kind of pixels, and FILE.ppm, what
decoding it must give."""
import pathlib

from PIL import Image

folder = pathlib.Path(__file__).parent
width, height = 20, 12
places = [(x, y) for y in range(height) for x in range(width)]
colors = [(12 * x, 20 * y, (7 * x + 9 * y) % 256) for x, y in places]
color = Image.new("RGB", (width, height))
color.putdata(colors)
alphas = [(40 + 13 * x + y) % 256 for x, y in places]
alpha = Image.new("L", (width, height))
alpha.putdata(alphas)
transparent = color.copy()
transparent.putalpha(alpha)
gray = color.convert("L")


def keep(name, image, expected=None, **options):
    image.save(folder / name, **options)
    expected = expected or Image.open(folder / name).convert("RGB")
    expected.save(folder / (name + ".ppm"))


keep("color.png", color, color)
keep("color.bmp", color, color)
keep("color.tga", color, color)
keep("color.gif", color.quantize(16))
keep("gray.png", gray, gray.convert("RGB"))
keep("bilevel.png", color.convert("1"))
keep("palette.png", color.quantize(16))
on_white = Image.new("RGB", (width, height))
on_white.putdata([tuple((c * a + 255 * (255 - a) + 127) // 255 for c in pixel)
                  for pixel, a in zip(colors, alphas)])
keep("alpha.png", transparent, on_white)
keep("alpha.webp", transparent, on_white, lossless=True, exact=True)
high = [17 * x + y for x, y in places]
sixteen = Image.frombytes(
    "I;16", (width, height), bytes(v for h in high for v in ((5 * h) % 256, h % 256)))
rounded = Image.new("L", (width, height))
rounded.putdata([(v * 255 + 32767) // 65535 for v in (h % 256 * 256 + (5 * h) % 256 for h in high)])
keep("sixteen.png", sixteen, rounded.convert("RGB"))
keep("gray.jpg", gray)
keep("cmyk.jpg", color.convert("CMYK"))
keep("progressive.jpg", color, progressive=True, subsampling=0)
keep("lossy.webp", color, quality=60)
