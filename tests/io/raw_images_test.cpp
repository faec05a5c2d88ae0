// BMP, TGA, PNM and GIF, which mini reads itself: each variant by files made here, pixel by pixel.
#include <gtest/gtest.h>

#include "io/image.h"
#include "tests/io/image_files.h"
#include "tests/support/support.h"

namespace mini::io {
namespace {

using Values = std::vector<double>;

Values pixels_of(const Bytes& file) { return decode(file).to_vector(); }

void expect_refused(const Bytes& file, const std::string& part) {
  const std::string text = test::error_of([&] { decode(file); });
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << text << "\" lacks \"" << part << "\"";
}

const Values red = {255, 0, 0}, green = {0, 255, 0}, blue = {0, 0, 255}, white = {255, 255, 255},
             black = {0, 0, 0};

Values row(const std::vector<Values>& pixels) {
  Values all;
  for (const Values& pixel : pixels) all.insert(all.end(), pixel.begin(), pixel.end());
  return all;
}

// --- PNM ---

TEST(Pnm, EveryKindIsRead) {
  const auto pnm = [](std::string_view text) { return pixels_of(test::FileBytes().text(text)); };
  EXPECT_EQ(pnm("P1\n2 1\n0 1\n"), row({white, black}));
  EXPECT_EQ(pnm("P1 2 2 01\n10"), row({white, black, black, white}));
  EXPECT_EQ(pnm("P2 # grey\n2 1 # and its size\n4\n1 4"), (Values{64, 64, 64, 255, 255, 255}));
  EXPECT_EQ(pnm("P3\n1 1\n255\n1 2\n3\n"), (Values{1, 2, 3}));
  EXPECT_EQ(pnm("P4\n9 1\n\x80\x80"),
            row({black, white, white, white, white, white, white, white, black}));
  EXPECT_EQ(pnm(std::string_view("P5 2 1 15\n\x0f\x01", 12)), (Values{255, 255, 255, 17, 17, 17}));
  EXPECT_EQ(pnm(std::string_view("P6 1 1 255\n\0\x7f\xff", 14)), (Values{0, 127, 255}));
  EXPECT_EQ(pnm(std::string_view("P5 2 1 65535\n\x80\x7f\x80\x80", 17)),
            (Values{128, 128, 128, 128, 128, 128}));
  EXPECT_EQ(pnm(std::string_view("P6 1 1 1000\n\0\0\1\xf4\3\xe8", 18)), (Values{0, 128, 255}));
}

TEST(Pnm, SixteenBitsAreRoundedNotCut) {
  test::FileBytes file;
  file.text("P5 256 256 65535\n");
  for (std::uint64_t v = 0; v < 65536; ++v) file.big(v, 2);
  const Tensor image = decode(file);
  for (std::int64_t v = 0; v < 65536; ++v)
    ASSERT_EQ(image.data<std::uint8_t>()[3 * v], (v * 255 + 32767) / 65535) << v;
}

TEST(Pnm, WhatIsNotAllThereIsRefused) {
  const auto refused = [](std::string_view text, const std::string& part) {
    expect_refused(test::FileBytes().text(text), part);
  };
  refused("P5 1100 1100 65535", "truncated");
  refused("P6 160 120 255\n", "truncated");
  refused("P5 2 2 255\nabc", "truncated: the pixels take at least 4 bytes, it has 3");
  refused("P2 2 2 255\n1 2 3   ", "truncated");
  refused("P1 2 2 0 1 0 x", "damaged: neither 0 nor 1");
  refused("P5 2 1 15\n\x01\x10", "damaged: a value of 16 where 15 is the largest");
  refused("P5 2 x", "damaged: a number was expected");
  refused("P5 0 1 255\n", "damaged: its size is 0x1");
  refused("P5 1 1 65536\nab", "damaged: the largest value is 65536");
  refused("P5 999999999999 1 1\n", "too large");
  refused("P5 40000 40000 255\n", "an image of 40000x40000 pixels is too large");
  refused("P7\nWIDTH 1\n", "a PAM file, which mini does not read");
}

// --- BMP ---

TEST(Bmp, EveryDepthIsRead) {
  const std::vector<int> two_colours = {0, 0, 255, 0, 255, 0, 0, 0};  // red, blue
  const Values expected = row({red, blue});
  const auto one_row = [&](test::BmpParts parts) {
    parts.height = 1;
    return pixels_of(test::bmp_file(parts));
  };
  EXPECT_EQ(one_row({.bits = 1, .colours = 2, .palette = two_colours, .pixels = {0x40, 0, 0, 0}}),
            expected);
  EXPECT_EQ(one_row({.bits = 2, .colours = 2, .palette = two_colours, .pixels = {0x10, 0, 0, 0}}),
            expected);
  EXPECT_EQ(one_row({.bits = 4, .colours = 2, .palette = two_colours, .pixels = {0x01, 0, 0, 0}}),
            expected);
  EXPECT_EQ(one_row({.bits = 8, .colours = 2, .palette = two_colours, .pixels = {0, 1, 0, 0}}),
            expected);
  EXPECT_EQ(one_row({.bits = 16, .pixels = {0, 0x7c, 0x1f, 0}}), expected);
  EXPECT_EQ(one_row({.bits = 24, .pixels = {0, 0, 255, 255, 0, 0, 0, 0}}), expected);
  EXPECT_EQ(one_row({.bits = 32, .pixels = {0, 0, 255, 7, 255, 0, 0, 7}}), expected);
  // The bytes that fill up the last row may be missing.
  EXPECT_EQ(one_row({.bits = 24, .pixels = {0, 0, 255, 255, 0, 0}}), expected);
}

TEST(Bmp, EveryHeaderIsRead) {
  for (const int header : {12, 16, 40, 52, 56, 64, 108, 124})
    for (const int gap : {0, 1, 30})
      EXPECT_EQ(
          pixels_of(test::bmp_file(
              {.header = header, .height = 1, .gap = gap, .pixels = {0, 0, 255, 255, 0, 0, 0, 0}})),
          row({red, blue}))
          << header << " " << gap;
}

// OS/2's palettes have three bytes a colour; all 256 of them count.
TEST(Bmp, AnOldPaletteIsReadToItsEnd) {
  std::vector<int> palette(std::size_t{3} * 256, 0);
  palette[3 * 255 + 1] = 255;
  palette[3 * 252] = 255;
  EXPECT_EQ(
      pixels_of(test::bmp_file(
          {.header = 12, .height = 1, .bits = 8, .palette = palette, .pixels = {255, 252, 0, 0}})),
      row({green, blue}));
}

TEST(Bmp, RowsGoUpOrDown) {
  const std::vector<int> pixels = {0, 0, 255, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(pixels_of(test::bmp_file({.height = 2, .pixels = pixels})),
            row({blue, black, red, black}));
  EXPECT_EQ(pixels_of(test::bmp_file({.height = -2, .pixels = pixels})),
            row({red, black, blue, black}));
}

TEST(Bmp, MasksSayWhereColoursAre) {
  const std::vector<std::uint32_t> masks = {0xf800, 0x07e0, 0x001f};
  EXPECT_EQ(pixels_of(test::bmp_file({.height = 1,
                                      .bits = 16,
                                      .compression = 3,
                                      .masks = masks,
                                      .pixels = {0, 0xf8, 0x10, 0x84}})),
            (Values{255, 0, 0, 132, 130, 132}));
  // With alpha; one that is 0 everywhere means nothing.
  const std::vector<std::uint32_t> with_alpha = {0xff000000, 0xff0000, 0xff00, 0xff};
  const auto abgr = [&](const std::vector<int>& pixels) {
    return pixels_of(test::bmp_file({.header = 56,
                                     .height = 1,
                                     .bits = 32,
                                     .compression = 3,
                                     .masks = with_alpha,
                                     .pixels = pixels}));
  };
  EXPECT_EQ(abgr({255, 0, 0, 255, 0, 0, 0, 0}), row({red, white}));
  EXPECT_EQ(abgr({0, 0, 0, 255, 0, 0, 0, 0}), row({red, black}));
  expect_refused(test::bmp_file({.bits = 16, .compression = 3, .masks = {5, 2, 8}, .gap = 16}),
                 "damaged: a colour mask has gaps");
}

TEST(Bmp, RunsAreExpanded) {
  const std::vector<int> palette = {0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0};  // red, green, blue
  const auto rle = [&](int bits, const std::vector<int>& pixels) {
    return test::bmp_file({.width = 3,
                           .height = 2,
                           .bits = bits,
                           .compression = bits == 8 ? 1 : 2,
                           .colours = 3,
                           .palette = palette,
                           .pixels = pixels});
  };
  // A run, the row's end, three single pixels, the end; the file's first row is the lowest.
  const Values expected = row({blue, red, green, green, green, green});
  EXPECT_EQ(pixels_of(rle(8, {3, 1, 0, 0, 0, 3, 2, 0, 1, 0, 0, 1})), expected);
  EXPECT_EQ(pixels_of(rle(4, {3, 0x11, 0, 0, 0, 3, 0x20, 0x10, 0, 1})), expected);
  // Without the last mark; a skip leaves the first colour.
  EXPECT_EQ(pixels_of(rle(8, {3, 1, 0, 0, 0, 3, 2, 0, 1, 0})), expected);
  EXPECT_EQ(pixels_of(rle(8, {1, 1, 0, 2, 1, 1, 1, 2, 0, 1})),
            row({red, red, blue, green, red, red}));
  expect_refused(rle(8, {4, 1, 0, 1}), "damaged: a run of pixels goes on");
  expect_refused(rle(8, {3, 1, 0, 0, 2, 1}), "truncated");
  expect_refused(rle(8, {3, 7, 0, 1}), "damaged: a pixel has colour 7 of a palette of 3");
}

TEST(Bmp, WhatMakesNoSenseIsRefused) {
  const std::vector<int> pixels(64, 0);
  expect_refused(test::bmp_file({.width = 0, .pixels = pixels}), "damaged: its size is 0x2");
  expect_refused(test::bmp_file({.bits = 7, .pixels = pixels}), "damaged: it has 7 bits a pixel");
  expect_refused(test::bmp_file({.header = 41, .pixels = pixels}),
                 "no BMP has a header of 41 bytes");
  expect_refused(test::bmp_file({.compression = 4, .pixels = pixels}), "this BMP holds a JPEG");
  expect_refused(test::bmp_file({.header = 64, .compression = 4, .pixels = pixels}),
                 "24-bit run lengths");
  expect_refused(test::bmp_file({.header = 64, .compression = 3, .pixels = pixels}), "Huffman 1D");
  expect_refused(test::bmp_file({.height = 20, .pixels = pixels}),
                 "truncated: the pixels take at least");
  expect_refused(
      test::bmp_file({.bits = 8, .colours = 1, .palette = {0, 0, 0, 0}, .pixels = {0, 1}}),
      "truncated");
}

// --- TGA ---

TEST(Tga, EveryKindIsRead) {
  const auto one_row = [](test::TgaParts parts) {
    parts.height = 1;
    return pixels_of(test::tga_file(parts));
  };
  EXPECT_EQ(one_row({.content = {0, 0, 255, 255, 0, 0}}), row({red, blue}));
  EXPECT_EQ(one_row({.bits = 16, .content = {0, 0x7c, 0x1f, 0x80}}), row({red, blue}));
  EXPECT_EQ(one_row({.bits = 32, .content = {0, 0, 255, 0, 255, 0, 0, 9}}), row({red, blue}));
  EXPECT_EQ(one_row({.type = 3, .bits = 8, .content = {0, 255}}), row({black, white}));
  EXPECT_EQ(one_row({.type = 1,
                     .bits = 8,
                     .map_length = 2,
                     .map_bits = 24,
                     .content = {0, 0, 255, 255, 0, 0, 0, 1}}),
            row({red, blue}));
  // Alpha counts where the header says so, and where a pixel is visible at all.
  EXPECT_EQ(one_row({.bits = 32, .descriptor = 8, .content = {0, 0, 255, 255, 0, 0, 0, 0}}),
            row({red, white}));
  EXPECT_EQ(one_row({.bits = 32, .descriptor = 8, .content = {0, 0, 255, 0, 255, 0, 0, 0}}),
            row({red, blue}));
}

TEST(Tga, ThePaletteMayBeginLater) {
  const test::TgaParts parts{.type = 1,
                             .height = 1,
                             .bits = 8,
                             .map_first = 10,
                             .map_length = 2,
                             .map_bits = 16,
                             .content = {0, 0x7c, 0x1f, 0, 11, 10}};
  EXPECT_EQ(pixels_of(test::tga_file(parts)), row({blue, red}));
  test::TgaParts outside = parts;
  outside.content.back() = 9;
  expect_refused(test::tga_file(outside), "damaged: a pixel has colour 9");
  outside.content.back() = 12;
  expect_refused(test::tga_file(outside), "damaged: a pixel has colour 2 of a palette of 2");
}

TEST(Tga, AnyCornerMayComeFirst) {
  const auto from = [](int descriptor) {
    return pixels_of(test::tga_file(
        {.descriptor = descriptor, .content = {0, 0, 255, 0, 255, 0, 255, 0, 0, 0, 0, 0}}));
  };
  EXPECT_EQ(from(0x20), row({red, green, blue, black}));
  EXPECT_EQ(from(0x00), row({blue, black, red, green}));
  EXPECT_EQ(from(0x30), row({green, red, black, blue}));
  EXPECT_EQ(from(0x10), row({black, blue, green, red}));
}

TEST(Tga, RunsAreExpanded) {
  const auto runs = [](const std::vector<int>& content) {
    return test::tga_file({.type = 10, .width = 3, .descriptor = 0x20, .content = content});
  };
  // Four of one colour, over the row's end, then two single pixels.
  EXPECT_EQ(pixels_of(runs({0x83, 0, 0, 255, 1, 255, 0, 0, 0, 255, 0})),
            row({red, red, red, red, blue, green}));
  expect_refused(runs({0x83, 0, 0, 255, 1, 255, 0, 0}), "truncated");
  expect_refused(runs({0x86, 0, 0, 255, 1, 255, 0, 0}), "damaged: a run of pixels goes on");
  // 18 bytes that claim 10000x10000 pixels.
  expect_refused(test::tga_file({.type = 10, .width = 10000, .height = 10000}), "truncated");
  expect_refused(test::tga_file({.type = 10, .width = 26000, .height = 26000}), "too large");
  expect_refused(test::tga_file({.width = 48, .height = 32, .content = {1, 2, 3}}),
                 "truncated: the pixels take at least 4608 bytes, it has 3");
}

// --- GIF ---

std::vector<int> codes(const std::vector<int>& indices) {
  return test::pack_gif_codes(test::gif_codes(indices, 2), 3);
}

TEST(Gif, AFrameIsDrawn) {
  EXPECT_EQ(pixels_of(test::gif_file({.data = codes({0, 1, 2, 0})})), row({red, green, blue, red}));
  // Transparent, or outside the frame: white.
  EXPECT_EQ(pixels_of(test::gif_file({.transparent = 1, .data = codes({0, 1, 2, 0})})),
            row({red, white, blue, red}));
  EXPECT_EQ(
      pixels_of(test::gif_file({.left = 1, .top = 1, .width = 1, .height = 1, .data = codes({2})})),
      row({white, white, white, blue}));
  // Rows 0, 4, 2, 1, 3.
  EXPECT_EQ(pixels_of(test::gif_file({.screen_width = 1,
                                      .screen_height = 5,
                                      .width = 1,
                                      .height = 5,
                                      .interlaced = true,
                                      .data = codes({0, 1, 2, 0, 1})})),
            row({red, red, blue, green, green}));
}

// Codes of longer strings: 0, then the code that becomes known only by it (00), then that one (00).
TEST(Gif, StringsAreBuilt) {
  const test::GifParts parts{.screen_width = 5,
                             .screen_height = 1,
                             .width = 5,
                             .height = 1,
                             .data = test::pack_gif_codes({4, 0, 6, 6}, 3)};
  EXPECT_EQ(pixels_of(test::gif_file(parts)), row({red, red, red, red, red}));
}

TEST(Gif, WhatIsNotOneWholeFrameIsRefused) {
  expect_refused(test::gif_file({.data = codes({0, 1, 2, 0}), .frames = 2}),
                 "this GIF is an animation");
  expect_refused(test::gif_file({.data = codes({0, 1, 2})}),
                 "truncated: its data ends after 3 of 4");
  expect_refused(test::gif_file({.data = codes({0, 1, 2, 0}), .frames = 0}), "it has no frame");
  expect_refused(test::gif_file({.data = test::pack_gif_codes({4, 0, 7}, 3)}),
                 "damaged: its data has a code that stands for nothing");
  expect_refused(
      test::gif_file({.screen_width = 10000, .screen_height = 10000, .data = codes({0})}),
      "truncated");
  std::vector<std::string> notices;
  decode(test::gif_file({.data = codes({0, 1, 2, 0}), .trailer = false}), {.notices = &notices});
  EXPECT_EQ(notices, (std::vector<std::string>{"the end mark is missing; all pixels are there"}));
}

}  // namespace
}  // namespace mini::io
