// Images: conversions, codecs there and back, foreign kinds of pixels, damage.
#include "io/image.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <malloc.h>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

#include "io/file.h"
#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini::io {
namespace {

using namespace std::string_literals;

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << text << "\" lacks \"" << part << "\"";
}

// A smooth picture, so that lossy codecs stay close to it.
Tensor picture(std::int64_t height, std::int64_t width, double phase = 0) {
  const Tensor image = Tensor::empty({height, width, 3}, DType::uint8);
  std::uint8_t* out = image.data<std::uint8_t>();
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        *out++ = static_cast<std::uint8_t>(
            127.5 + 120 * std::sin(0.05 * static_cast<double>(x + 2 * y) + c + phase));
  return image;
}

double mean_difference(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector(), y = b.to_vector();
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += std::abs(x[i] - y[i]);
  return sum / static_cast<double>(x.size());
}

constexpr const char* foreign[] = {"color.png",       "color.bmp",   "color.tga",   "color.gif",
                                   "gray.png",        "bilevel.png", "palette.png", "alpha.png",
                                   "alpha.webp",      "sixteen.png", "gray.jpg",    "cmyk.jpg",
                                   "progressive.jpg", "lossy.webp"};

std::filesystem::path data(const std::string& name) {
  return std::filesystem::path(MINI_SOURCE_DIR) / "tests/io/data/images" / name;
}

TEST(Image, FormatsAreNamed) {
  for (const ImageFormat format : {ImageFormat::jpeg, ImageFormat::webp, ImageFormat::png})
    EXPECT_EQ(parse_image_format(name_of(format)), format);
  for (const char* name : {"JPG", "jpe", "jfif"})
    EXPECT_EQ(parse_image_format(name), ImageFormat::jpeg);
  expect_contains(test::error_of([] { parse_image_format("avif"); }), "choose jpeg, webp or png");
}

TEST(Image, PngReturnsEveryPixel) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 300}, {37, 5}, {64, 48}}) {
    const Tensor image = picture(height, width);
    EXPECT_TRUE(test::equal_bits(decode(encode(image, ImageFormat::png, 1)), image));
  }
}

TEST(Image, LossyCodecsStayCloseAndObeyQuality) {
  const Tensor image = picture(61, 47);
  for (const ImageFormat format : {ImageFormat::jpeg, ImageFormat::webp}) {
    const Bytes high = encode(image, format, 95), low = encode(image, format, 10);
    EXPECT_LT(low.size(), high.size());
    EXPECT_EQ(decode(low).shape(), image.shape());
    EXPECT_LT(mean_difference(decode(high), image), 4);
    EXPECT_LT(mean_difference(decode(high), image), mean_difference(decode(low), image));
  }
}

TEST(Image, AViewIsEncodedAsWhatItShows) {
  const Tensor wide = picture(20, 40);
  const Tensor view = ops::narrow(wide, 1, 7, 16);
  EXPECT_TRUE(test::equal_bits(decode(encode(view, ImageFormat::png, 1)), view));
  EXPECT_EQ(encode(view, ImageFormat::jpeg, 80),
            encode(ops::contiguous(view), ImageFormat::jpeg, 80));
}

// Gray, palette, CMYK as Pillow's convert("RGB") gives them; alpha laid on white, 16 bits rounded.
TEST(Image, EveryKindOfPixelsBecomesRgb) {
  for (const char* name : foreign)
    EXPECT_TRUE(test::equal_bits(read_image(data(name)), read_image(data(name + ".ppm"s)))) << name;
}

TEST(Image, FilesGoByTheirExtension) {
  const test::TemporaryFolder folder;
  const Tensor image = picture(16, 16);
  for (const char* name : {"a.png", "a.jpg", "a.JPEG", "a.webp"}) {
    write_image(folder.path() / name, image);
    EXPECT_LT(mean_difference(read_image(folder.path() / name), image), 4) << name;
  }
  EXPECT_EQ(static_cast<int>(read_file(folder.path() / "a.jpg")[0]), 0xff);
  const auto bad = folder.path() / "a.tiff";
  expect_contains(test::error_of([&] { write_image(bad, image); }), bad.string());
  expect_contains(test::error_of([&] { write_image(folder.path() / "a", image); }), "no extension");
  EXPECT_FALSE(std::filesystem::exists(bad));
  write_file_atomically(bad, "no picture");
  expect_contains(test::error_of([&] { read_image(bad); }), bad.string());
}

TEST(Image, NamesOfImagesAreKnown) {
  for (const char* name : {"a.jpg", "a.JFIF", "b.jpe", "x/y.PNG", "a.pbm", "a.b.tga"})
    EXPECT_TRUE(has_image_name(name)) << name;
  for (const char* name : {"._a.png", ".png", ".a.jpg", "a.psd", "png", "a.png.txt"})
    EXPECT_FALSE(has_image_name(name)) << name;
}

TEST(Image, WhatCannotBeEncodedIsRefused) {
  const Tensor image = picture(4, 4);
  for (const int quality : {0, 101, -5})
    expect_contains(test::error_of([&] { encode(image, ImageFormat::jpeg, quality); }),
                    "outside 1 to 100");
  expect_contains(test::error_of([] {
                    encode(Tensor::zeros({4, 4, 5}), ImageFormat::png, 1);
                  }),
                  "a picture is uint8 or float32 [H,W,1 to 4], got float32[4,4,5]");
  for (const ImageFormat format : {ImageFormat::jpeg, ImageFormat::webp})
    expect_contains(test::error_of([&] {
                      encode(Tensor::zeros({4, 4, 3}), format, 50);
                    }),
                    "8 bits");
  expect_contains(test::error_of([] {
                    encode(Tensor::zeros({4, 4, 4}, DType::uint8), ImageFormat::jpeg, 50);
                  }),
                  "without alpha");
  expect_contains(test::error_of([] {
                    encode(Tensor::zeros({0, 4, 3}, DType::uint8), ImageFormat::png, 1);
                  }),
                  "no pixels");
  const Tensor wide = Tensor::zeros({1, 65536, 3}, DType::uint8);
  expect_contains(test::error_of([&] { encode(wide, ImageFormat::jpeg, 50); }), "at most 65500");
  expect_contains(test::error_of([&] { encode(wide, ImageFormat::webp, 50); }), "at most 16383");
}

// Encodes noise, which makes a file of some megabytes, where less memory is left than the encoder's
// growing buffer needs. Prints the error, and ends the process: with 0 if the memory sufficed later.
[[noreturn]] void encode_without_memory() {
  Generator generator{1, 0};
  const Tensor image = to_image(ops::uniform(generator, {1, 3, 2000, 2000}));
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);  // large blocks come from the system, where a limit counts
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit before{};
  ::getrlimit(RLIMIT_AS, &before);
  const auto used = static_cast<rlim_t>(pages * ::sysconf(_SC_PAGESIZE));
  const rlimit tight{used + (6 << 20), before.rlim_max};
  ::setrlimit(RLIMIT_AS, &tight);
  const std::string error = test::error_of([&] { encode(image, ImageFormat::jpeg, 100); });
  ::setrlimit(RLIMIT_AS, &before);
  std::fputs(error.c_str(), stderr);
  std::exit(encode(image, ImageFormat::jpeg, 100).size() > std::size_t{4} << 20 ? 0 : 1);
}

TEST(Image, AJpegForWhichThereIsNoMemoryIsAnError) {
  if (test::address_sanitizer) GTEST_SKIP() << "the sanitizer needs the address space taken here";
  // In a process of its own, where no earlier test's threads have reserved memory of their own.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(encode_without_memory(), testing::ExitedWithCode(0), "encode: Insufficient memory");
}

TEST(Image, BatchesEqualSingleCallsAtAnyThreadCount) {
  std::vector<Tensor> images;
  for (int i = 0; i < 5; ++i) images.push_back(picture(24 + i, 31, i));
  for (const int threads : {1, 2}) {
    set_threads(threads);
    const auto files = encode_batch(images, ImageFormat::jpeg, 70);
    const auto decoded = decode_batch(files);
    for (std::size_t i = 0; i < images.size(); ++i) {
      EXPECT_EQ(files[i], encode(images[i], ImageFormat::jpeg, 70));
      EXPECT_TRUE(test::equal_bits(decoded[i], decode(files[i])));
    }
  }
  expect_contains(
      test::error_of([&] {
        decode_batch(std::vector<Bytes>{Bytes(3), encode(images[0], ImageFormat::png, 1)});
      }),
      "decode:");
}

TEST(Image, ToFloatAndBack) {
  const Tensor image = Tensor::from(std::vector<std::uint8_t>{0, 51, 255, 1, 2, 3}, {1, 2, 3});
  const Tensor x = to_float(image);
  EXPECT_EQ(x.shape(), Shape({1, 3, 1, 2}));
  EXPECT_EQ(x.to_vector(),
            (std::vector<double>{0, 1 / 255.0F, 51 / 255.0F, 2 / 255.0F, 1, 3 / 255.0F}));
  EXPECT_EQ(to_float(image, DType::float64).to_vector()[1], 1 / 255.0);
  for (const DType dtype : {DType::float32, DType::float64, DType::float16})
    EXPECT_TRUE(test::equal_bits(to_image(to_float(image, dtype)), image)) << dtype;
  const std::vector<Tensor> images{image, image};
  const Tensor batch = to_float(images);
  EXPECT_EQ(batch.shape(), Shape({2, 3, 1, 2}));
  EXPECT_TRUE(test::equal_bits(to_images(ops::channels_last(batch))[1], image));
  expect_contains(test::error_of([&] {
                    to_float(std::vector<Tensor>{image, picture(2, 2)});
                  }),
                  "make no batch");
  expect_contains(test::error_of([&] { to_float(image, DType::int64); }), "floating dtype");
  expect_contains(test::error_of([&] { to_image(batch); }), "got float32[2,3,1,2]");
}

TEST(Image, ToImageClampsAndRoundsHalvesToEven) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor x = Tensor::from(std::vector<double>{-0.5, 1.5, nan, infinity, -infinity, 0.5 / 255,
                                                    1.5 / 255, 2.5 / 255, 0.5},
                                {3, 1, 3});
  EXPECT_EQ(ops::permute(to_image(x), std::array{2, 0, 1}).to_vector(),
            (std::vector<double>{0, 255, 0, 255, 0, 0, 2, 2, 128}));
}

TEST(Image, CodecRoundtripIsEncodeAndDecode) {
  const std::vector<Tensor> images{picture(32, 24), picture(32, 24, 1), picture(32, 24, 2)};
  for (const DType dtype : {DType::float32, DType::float64}) {
    const CodecResult result =
        codec_roundtrip_with_sizes(to_float(images, dtype), ImageFormat::webp, 60);
    for (std::size_t i = 0; i < images.size(); ++i) {
      const Bytes file = encode(images[i], ImageFormat::webp, 60);
      EXPECT_EQ(result.sizes[i], static_cast<std::int64_t>(file.size()));
      EXPECT_TRUE(test::equal_bits(
          ops::contiguous(ops::narrow(result.images, 0, static_cast<std::int64_t>(i), 1)),
          to_float(decode(file), dtype)));
    }
  }
  const Tensor x = to_float(images);
  EXPECT_TRUE(test::equal_bits(codec_roundtrip(x, ImageFormat::png, 1), x));
  const std::vector<int> qualities{20, 60, 90};
  const Tensor each = codec_roundtrip(x, ImageFormat::jpeg, qualities);
  for (const std::int64_t i : {0, 1, 2})
    EXPECT_TRUE(test::equal_bits(
        ops::contiguous(ops::narrow(each, 0, i, 1)),
        to_float(decode(encode(images[static_cast<std::size_t>(i)], ImageFormat::jpeg,
                               qualities[static_cast<std::size_t>(i)])))));
  EXPECT_EQ(test::error_of([&] {
              codec_roundtrip(x, ImageFormat::jpeg, std::vector{1, 2});
            }),
            "codec_roundtrip: 2 qualities for 3 images; give one for all or one for each");
}

// Each prefix and each change of one byte gives an image or an Error. A prefix that lacks more than
// what follows the pixels is always an Error.
TEST(Image, NoDamageCrashes) {
  for (const char* name : foreign) {
    SCOPED_TRACE(name);
    const Bytes good = read_file(data(name));
    const auto survives = [](std::span<const std::byte> bytes) {
      try {
        decode(bytes);
        return true;
      } catch (const Error&) {
        return false;
      }
    };
    const std::size_t end_mark = std::string_view(name).ends_with(".tga") ? 26 : 12;  // at most
    for (std::size_t length = 0; length < good.size(); ++length) {
      const bool complete = survives({good.data(), length});
      EXPECT_FALSE(complete && length + end_mark < good.size()) << length;
    }
    for (std::size_t place = 0; place < good.size(); ++place) {
      for (const int change : {1, 0x80, 0xff}) {
        Bytes bad = good;
        bad[place] ^= static_cast<std::byte>(change);
        survives(bad);
      }
    }
  }
}

}  // namespace
}  // namespace mini::io
