#!/usr/bin/env python3
"""Makes the references for tests/io/suites_test.cpp with ImageMagick: beside every PNG, JPEG and WebP
file in a folder FILE.ppm, what it must be read as, or FILE.refused where ImageMagick refuses it.

    python3 tests/io/suites.py FOLDER && MINI_SUITES=FOLDER build/release/tests/test_io

Suites that are worth it: PngSuite (contrib/pngsuite and contrib/testpngs in the sources of libpng),
testimages in those of libjpeg-turbo, and libwebp-test-data.
"""
import array
import pathlib
import subprocess
import sys


def without_gamma(png):
    """mini takes every value as sRGB, ImageMagick heeds a gamma."""
    result, place = png[:8], 8
    while place < len(png):
        length = int.from_bytes(png[place:place + 4], "big")
        chunk = png[place:place + 12 + length]
        if chunk[4:8] != b"gAMA":
            result += chunk
        place += 12 + length
    return result


def convert(content, *options):
    return subprocess.run(["convert", "-", *options], input=content, capture_output=True, check=False)


def reference(path):
    content = path.read_bytes()
    if path.suffix == ".png":
        content = without_gamma(content)
    size = convert(content, "-format", "%w %h", "info:")
    pixels = convert(content, "-depth", "16", "-endian", "LSB", "RGBA:-")
    if pixels.returncode != 0 or b"corrupt" in pixels.stderr.lower():
        return None
    width, height = map(int, size.stdout.split())
    values = array.array("H", pixels.stdout)
    assert len(values) == 4 * width * height, path
    values = [(v * 255 + 32767) // 65535 for v in values]
    alphas = values[3::4]
    rgb = bytearray(3 * width * height)
    for c in range(3):  # laid on white
        rgb[c::3] = bytes((v * a + 255 * (255 - a) + 127) // 255
                          for v, a in zip(values[c::4], alphas))
    return b"P6 %d %d 255\n" % (width, height) + rgb


def main():
    folder = pathlib.Path(sys.argv[1])
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".png", ".jpg", ".webp"):
            continue
        content = reference(path)
        path.with_name(path.name + (".refused" if content is None else ".ppm")).write_bytes(content or b"")


main()
