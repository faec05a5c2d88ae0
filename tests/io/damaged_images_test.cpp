// Files of strangers: truncated, damaged, odd but whole, claiming sizes they do not have, or no images.
// Every one ends as an Error that says which, or as the right pixels.
#include <cstring>
#include <gtest/gtest.h>
#include <optional>

#include "io/image.h"
#include "tensor/allocator.h"
#include "tests/io/image_files.h"
#include "tests/support/support.h"

namespace mini::io {
namespace {

Bytes data(const std::string& name) {
  return read_file(std::filesystem::path(MINI_SOURCE_DIR) / "tests/io/data/images" / name);
}

std::string refusal(const Bytes& file) {
  return test::error_of([&] { decode(file); });
}

void expect_refused(const Bytes& file, const std::string& part) {
  const std::string text = refusal(file);
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << text << "\" lacks \"" << part << "\"";
}

// Decodes what must have the pixels of `expected`, with just this notice.
void expect_noticed(const Bytes& file, const Tensor& expected, const std::string& notice) {
  std::vector<std::string> notices;
  EXPECT_TRUE(test::equal_bits(decode(file, {.notices = &notices}), expected)) << notice;
  EXPECT_EQ(notices,
            notice.empty() ? std::vector<std::string>{} : std::vector<std::string>{notice});
}

Bytes without_last(Bytes file, std::size_t count) {
  file.resize(file.size() - count);
  return file;
}

Bytes joined(const Bytes& a, std::span<const std::byte> b) {
  return test::FileBytes().raw(a).raw(b).bytes();
}

Bytes with_inserted(const Bytes& file, std::size_t place, std::span<const std::byte> part) {
  Bytes result = file;
  result.insert(result.begin() + static_cast<std::ptrdiff_t>(place), part.begin(), part.end());
  return result;
}

std::size_t find(const Bytes& file, std::string_view part) {
  const std::size_t place = as_text(file).find(part);
  EXPECT_NE(place, std::string_view::npos) << part;
  return place;
}

constexpr const char* no_end = "the end mark is missing; all pixels are there";

// --- PNG ---

// What is not a checksum is under one: no bit of a PNG can be wrong unnoticed.
TEST(DamagedPng, EveryWrongBitIsNoticed) {
  for (const char* name : {"color.png", "palette.png"}) {
    const Bytes good = data(name);
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
      Bytes bad = good;
      bad[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
      EXPECT_THROW(decode(bad), Error) << name << ": bit " << bit;
    }
  }
}

TEST(DamagedPng, ItIsTruncatedUnlessOnlyTheEndMarkIsMissing) {
  for (const char* name : {"color.png", "palette.png", "alpha.png"}) {
    const Bytes good = data(name);
    const Tensor image = decode(good);
    for (std::size_t missing = 1; missing <= 12; ++missing)
      expect_noticed(without_last(good, missing), image, no_end);
    for (std::size_t missing = 13; missing + 8 < good.size(); ++missing)
      expect_refused(without_last(good, missing), "truncated");
    expect_noticed(joined(good, as_bytes("left over")), image, "");
  }
  // All chunks whole, half of the rows.
  const Bytes rows(std::size_t{7} * 10);
  expect_refused(test::png_file(2, 20, 8, 2, rows), "damaged: Not enough image data");
}

// Also where it comes in a chunk of its own, behind all the rows.
TEST(DamagedPng, TheZlibSumIsChecked) {
  const std::vector<std::byte> row = {std::byte{0}, std::byte{1}, std::byte{2}, std::byte{3}};
  const Bytes file = test::png_file(1, 1, 8, 2, row);
  const std::span<const std::byte> header(file.data(), find(file, "IDAT") - 4);
  for (const std::size_t apart : {0, 4})
    for (const bool good : {true, false}) {
      Bytes stream = test::zlib_stored(row);
      if (!good) stream.back() ^= std::byte{1};
      const std::span<const std::byte> all = stream;
      test::FileBytes split;
      split.raw(header).raw(test::png_chunk("IDAT", all.first(all.size() - apart)).bytes());
      split.raw(test::png_chunk("IDAT", all.last(apart)).bytes());
      split.raw(test::png_chunk("IEND", {}).bytes());
      if (good)
        EXPECT_EQ(decode(split).to_vector(), (std::vector<double>{1, 2, 3}));
      else
        expect_refused(split, "damaged: IDAT: incorrect data check");
    }
}

TEST(DamagedPng, VariantsAreNamed) {
  const std::vector<std::byte> row(4);
  const auto with = [&](std::string_view name, const test::FileBytes& content) {
    return test::png_file(1, 1, 8, 2, row, test::png_chunk(name, content.bytes()).bytes());
  };
  expect_refused(with("acTL", test::FileBytes().big(2, 4).big(0, 4)), "this PNG is an animation");
  EXPECT_EQ(decode(with("acTL", test::FileBytes().big(1, 4).big(0, 4))).numel(), 3);
  const Bytes plain = test::png_file(1, 1, 8, 2, row);
  expect_refused(with_inserted(plain, 8, test::png_chunk("CgBI", Bytes(4)).bytes()), "Apple's");
  const Tensor image = decode(plain);
  expect_noticed(with("gAMA", test::FileBytes().big(100000, 4)), image,
                 "its gamma of 1 is ignored: values are taken as sRGB");
  expect_noticed(with("gAMA", test::FileBytes().big(45455, 4)), image, "");
  // A text that is damaged makes the file a damaged one.
  Bytes bad = with("tEXt", test::FileBytes().text("a\0b"));
  bad[find(bad, "tEXt") + 4] ^= std::byte{1};
  expect_refused(bad, "damaged: tEXt: CRC error");
}

TEST(DamagedPng, APixelBeyondThePaletteIsDamage) {
  const test::FileBytes palette = test::FileBytes().list({255, 0, 0, 0, 0, 255});
  const auto file = [&](int index) {
    return test::png_file(1, 1, 8, 3, test::FileBytes().list({0, index}).bytes(),
                          test::png_chunk("PLTE", palette.bytes()).bytes());
  };
  EXPECT_EQ(decode(file(1)).to_vector(), (std::vector<double>{0, 0, 255}));
  // Newer versions of libpng notice it before mini does, and say it in words of their own.
  expect_refused(file(2), "the file is damaged: ");
  expect_refused(file(2), "palette");
}

TEST(DamagedPng, SixteenBitsAreRoundedNotCut) {
  test::FileBytes rows;
  for (std::uint64_t v = 0; v < 65536 / 4; ++v) {  // 64 rows at a time fit a stored block
    if (v % 256 == 0) rows.list({0});
    rows.big(4 * v + v % 4, 2);
  }
  const Tensor image = decode(test::png_file(256, 64, 16, 0, rows.bytes()));
  for (std::int64_t v = 0; v < 65536 / 4; ++v)
    ASSERT_EQ(image.data<std::uint8_t>()[3 * v], ((4 * v + v % 4) * 255 + 32767) / 65535) << v;
}

// --- JPEG ---

TEST(DamagedJpeg, OdditiesThatEveryViewerShowsAreRead) {
  for (const char* name : {"gray.jpg", "cmyk.jpg", "progressive.jpg"}) {
    const Bytes good = data(name);
    const Tensor image = decode(good);
    expect_noticed(without_last(good, 2), image, no_end);
    expect_noticed(joined(good, as_bytes("left over")), image, "");
    expect_noticed(with_inserted(good, 2, as_bytes("\xff\xff\xff")), image, "");
  }
  const Bytes good = data("gray.jpg");
  Bytes se = good;
  const std::size_t scan = find(good, "\xff\xda");
  se[scan + 8] = std::byte{0};  // Ns = 1: FF DA, length, Ns, component, tables, Ss, Se
  expect_noticed(se, decode(good), "");
  expect_noticed(with_inserted(good, good.size() - 2, Bytes(64, std::byte{7})), decode(good),
                 "there are stray bytes between its parts");
}

TEST(DamagedJpeg, ItIsTruncatedWhereRowsOrScansAreMissing) {
  for (const char* name : {"gray.jpg", "cmyk.jpg", "progressive.jpg"}) {
    const Bytes good = data(name);
    for (std::size_t missing = 4; missing + 3 < good.size(); ++missing)
      expect_refused(without_last(good, missing), "truncated");
  }
  // Without its last scans a progressive file shows something; with an end mark it may be meant so.
  const Bytes good = data("progressive.jpg");
  const std::size_t last = as_text(good).rfind("\xff\xda");
  Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(last));
  expect_refused(cut, "truncated: it ends before its last scan");
  EXPECT_EQ(decode(joined(cut, as_bytes("\xff\xd9"))).shape(), decode(good).shape());
}

TEST(DamagedJpeg, TooManyScansAreRefusedBeforeTheFirst) {
  const Bytes good = data("progressive.jpg");
  const std::size_t last = as_text(good).rfind("\xff\xda");
  Bytes many = good;
  for (int i = 0; i < 600; ++i)
    many = with_inserted(many, last, {good.data() + last, good.size() - 2 - last});
  const double begin = test::cpu_seconds();
  expect_refused(many, "scans of 20x12 pixels would take too long");
  EXPECT_LT(test::cpu_seconds() - begin, 0.1 * test::time_factor);
}

TEST(DamagedJpeg, KindsThatAreNotReadAreNamed) {
  Bytes twelve = data("gray.jpg");
  twelve[find(twelve, "\xff\xc0") + 4] = std::byte{12};
  expect_refused(twelve, "mini does not read this kind");
}

// --- WebP ---

TEST(DamagedWebp, ItIsTruncatedOrWhole) {
  for (const char* name : {"lossy.webp", "alpha.webp"}) {
    const Bytes good = data(name);
    const Tensor image = decode(good);
    for (std::size_t missing = 1; missing + 12 < good.size(); ++missing)
      expect_refused(without_last(good, missing), "truncated");
    expect_noticed(joined(good, as_bytes("left over")), image, "");
  }
}

// --- Orientation ---

// A picture of which every pixel differs, stored so that `orientation` shows it upright.
Tensor stored(const Tensor& seen, int orientation) {
  const std::int64_t height = seen.size(0), width = seen.size(1);
  const bool swaps = orientation >= 5;
  const Tensor image =
      Tensor::empty({swaps ? width : height, swaps ? height : width, 3}, DType::uint8);
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      // The table of EXIF 2.3: where the stored row 0 and column 0 are seen.
      const std::int64_t row[] = {
          y, y, height - 1 - y, height - 1 - y, x, width - 1 - x, width - 1 - x, x};
      const std::int64_t column[] = {x, width - 1 - x,  width - 1 - x, x, y,
                                     y, height - 1 - y, height - 1 - y};
      const auto i = static_cast<std::size_t>(orientation - 1);
      std::memcpy(image.data<std::uint8_t>() + 3 * (row[i] * image.size(1) + column[i]),
                  seen.data<std::uint8_t>() + 3 * (y * width + x), 3);
    }
  return image;
}

TEST(Orientation, IsCarriedOutOnce) {
  Tensor seen = Tensor::empty({16, 24, 3}, DType::uint8);
  for (std::int64_t i = 0; i < seen.numel(); ++i)
    seen.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i / 5);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    SCOPED_TRACE(orientation);
    for (const bool big_endian : {false, true}) {
      const Tensor image = stored(seen, orientation);
      const test::FileBytes exif = test::exif_data(orientation, big_endian);
      // PNG: a chunk before the pixels.
      const Bytes png = encode(image, ImageFormat::png, 1);
      const Bytes turned =
          with_inserted(png, find(png, "IDAT") - 4, test::png_chunk("eXIf", exif.bytes()).bytes());
      EXPECT_TRUE(test::equal_bits(decode(turned), seen));
      EXPECT_TRUE(test::equal_bits(decode(encode(decode(turned), ImageFormat::png, 1)), seen));
      // JPEG: a segment after the first marker. It loses little, and the same before and after.
      const Bytes jpeg = encode(image, ImageFormat::jpeg, 90);
      test::FileBytes segment;
      segment.list({0xff, 0xe1}).big(exif.size() + 8, 2).text(std::string_view("Exif\0\0", 6));
      segment.raw(exif.bytes());
      const Tensor from_jpeg = decode(with_inserted(jpeg, 2, segment.bytes()));
      EXPECT_TRUE(test::equal_bits(stored(from_jpeg, orientation), decode(jpeg)));
      // WebP: a chunk of an extended file.
      const Bytes webp = encode(image, ImageFormat::webp, 90);
      test::FileBytes body;
      body.text("WEBPVP8X").little(10, 4).list({8, 0, 0, 0});
      body.little(static_cast<std::uint64_t>(image.size(1) - 1), 3);
      body.little(static_cast<std::uint64_t>(image.size(0) - 1), 3);
      body.raw({webp.data() + 12, webp.size() - 12});
      body.text("EXIF").little(exif.size(), 4).raw(exif.bytes());
      test::FileBytes extended;
      extended.text("RIFF").little(body.size(), 4).raw(body.bytes());
      EXPECT_TRUE(test::equal_bits(stored(decode(extended), orientation), decode(webp)));
    }
  }
}

TEST(Orientation, DamagedExifSaysNothing) {
  const Bytes png = encode(Tensor::zeros({2, 3, 3}, DType::uint8), ImageFormat::png, 1);
  for (const int orientation : {0, 9, 6}) {
    for (std::size_t length = 0; length < 26; length += 5) {
      Bytes exif = test::exif_data(orientation).bytes();
      exif.resize(orientation == 6 ? std::min<std::size_t>(length, 17) : exif.size());
      const Bytes file =
          with_inserted(png, find(png, "IDAT") - 4, test::png_chunk("eXIf", exif).bytes());
      EXPECT_EQ(decode(file).shape(), (Shape{2, 3, 3}));
    }
  }
}

// --- All formats ---

TEST(DamagedImage, WhatIsNoImageIsToldAsWhatItIs) {
  expect_refused({}, "the file is empty");
  const auto text = [](std::string_view content) {
    return test::FileBytes().text(content).bytes();
  };
  expect_refused(text("hello"), "the file is no image: it begins with 'hello'");
  expect_refused(text("BMW and other letters"), "it begins with 'BMW and other le'");
  expect_refused(text("\x1b[31mred\x07"), "it begins with '\\x1b[31mred\\x07'");
  expect_refused(text("8BPS\x00\x01"), "this is a PSD file, which mini does not read");
  expect_refused(text(std::string_view("\0\0\0\x1c"
                                       "ftypavif",
                                       12)),
                 "this is an AVIF file");
  expect_refused(text("version https://git-lfs.github.com/spec/v1\n"), "Git LFS's pointer");
}

// A reason from an earlier file is not told of a later one.
TEST(DamagedImage, EachFileHasItsOwnReason) {
  const Bytes png = without_last(data("color.png"), 20);
  const std::string first = refusal(png);
  expect_refused(data("gray.jpg").size() > 9 ? without_last(data("gray.jpg"), 9) : Bytes{},
                 "JPEG:");
  EXPECT_EQ(refusal(png), first);
}

// Some bytes that claim up to 13000x13000 pixels.
TEST(DamagedImage, AClaimIsCheckedBeforeMemoryIsTaken) {
  std::vector<Bytes> files;
  const auto text = [](std::string_view content) {
    return test::FileBytes().text(content).bytes();
  };
  for (const char* header : {"P5 13000 13000 65535\n", "P6 30000 30000 255\n", "P2 9000 9000 3\n"})
    files.push_back(text(header));
  for (const int type : {2, 3, 10, 11})
    files.push_back(test::tga_file(
        {.type = type, .width = 13000, .height = 13000, .bits = type % 8 == 3 ? 8 : 24}));
  for (const int bits : {1, 24})
    files.push_back(test::bmp_file({.width = 13000, .height = 13000, .bits = bits, .gap = 8}));
  files.push_back(
      test::bmp_file({.width = 9000, .height = 9000, .bits = 8, .compression = 1, .gap = 1024}));
  files.push_back(test::gif_file({.screen_width = 9000, .screen_height = 9000, .data = {0x44, 1}}));
  files.push_back(test::png_file(13000, 13000, 8, 2, {}));
  files.push_back(test::png_file(20000, 20000, 1, 0, {}));
  Bytes jpeg = data("progressive.jpg");
  const std::size_t frame = find(jpeg, "\xff\xc2");
  const std::byte side[] = {std::byte{0x30}, std::byte{0}, std::byte{0x30}, std::byte{0}};
  std::copy(std::begin(side), std::end(side),
            jpeg.begin() + static_cast<std::ptrdiff_t>(frame) + 5);
  files.push_back(jpeg);
  test::FileBytes webp;  // lossless: 14 bits a side after the byte 0x2f
  webp.text("RIFF").little(26, 4).text("WEBPVP8L").little(14, 4).list({0x2f, 255, 255, 255, 15});
  files.push_back(webp.list({7, 0, 0, 0, 0, 0, 0, 0, 0}));
  allocator({}).reset_peak();
  const std::size_t before = allocator({}).stats().peak;
  for (const Bytes& file : files) {
    SCOPED_TRACE(std::string(as_text(file).substr(0, 3)));
    const double begin = test::cpu_seconds();
    const std::string text = refusal(file);
    EXPECT_TRUE(text.find("too large") != std::string::npos ||
                text.find("truncated") != std::string::npos)
        << text;
    EXPECT_LT(test::cpu_seconds() - begin, 0.1 * test::time_factor) << text;
  }
  EXPECT_EQ(allocator({}).stats().peak, before);
}

TEST(DamagedImage, TheLimitIsTheCallers) {
  const Bytes file = encode(Tensor::zeros({20, 30, 3}, DType::uint8), ImageFormat::png, 1);
  EXPECT_EQ(decode(file, {.max_pixels = 600}).numel(), 1800);
  EXPECT_NE(test::error_of([&] {
              decode(file, {.max_pixels = 599});
            }).find("an image of 30x20 pixels is too large (at most 599"),
            std::string::npos);
}

// The pixels, or nothing where the file is refused, with memory that held `value` before.
std::optional<Tensor> decode_over(const Bytes& file, const Shape& shape, int value) {
  for (const std::int64_t channels : {1, 3, 4})
    Tensor::full({shape[0], shape[1], channels}, value, DType::uint8);
  try {
    return decode(file);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// No prefix and no changed byte lets through what the memory held before.
TEST(DamagedImage, NothingIsLeftUninitialised) {
  std::vector<Bytes> files = {
      test::bmp_file({.width = 3,
                      .height = 2,
                      .bits = 8,
                      .compression = 1,
                      .colours = 2,
                      .palette = {9, 9, 9, 0, 7, 7, 7, 0},
                      .pixels = {3, 1, 0, 0, 0, 3, 1, 0, 1, 0, 0, 1}}),
      test::tga_file(
          {.type = 10, .width = 3, .content = {0x83, 0, 0, 255, 1, 255, 0, 0, 0, 255, 0}}),
      test::gif_file({.data = test::pack_gif_codes(test::gif_codes({0, 1, 2, 0}, 2), 3)}),
      test::FileBytes().text("P5 3 2 200\nabcdef").bytes()};
  for (const char* name :
       {"color.png", "palette.png", "gray.jpg", "progressive.jpg", "lossy.webp", "color.gif"})
    files.push_back(data(name));
  for (const Bytes& good : files) {
    const Shape shape = decode(good).shape();
    const auto compare = [&](const Bytes& file) {
      const auto a = decode_over(file, shape, 0), b = decode_over(file, shape, 255);
      ASSERT_EQ(a.has_value(), b.has_value());
      EXPECT_TRUE(!a || test::equal_bits(*a, *b));
    };
    for (std::size_t missing = 1; missing < good.size(); ++missing)
      compare(without_last(good, missing));
    for (std::size_t place = 0; place < good.size(); ++place) {
      Bytes bad = good;
      bad[place] ^= std::byte{0x11};
      compare(bad);
    }
  }
}

// --- Writing ---

TEST(WriteLimits, AreToldByTheSizeAlone) {
  EXPECT_NE(test::error_of([] {
              check_encodable(16384, 1, ImageFormat::webp);
            }).find("WebP takes at most 16383 pixels a side, not 16384x1"),
            std::string::npos);
  EXPECT_NE(test::error_of([] {
              check_encodable(1, 65501, ImageFormat::jpeg);
            }).find("JPEG takes at most 65500"),
            std::string::npos);
  check_encodable(16383, 16383, ImageFormat::webp);
  check_encodable(100000, 100000, ImageFormat::png);
}

}  // namespace
}  // namespace mini::io
