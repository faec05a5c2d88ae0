// What EncodeOptions choose, and what travels beside the pixels (io/metadata.h).
#include <gtest/gtest.h>

#include "io/image.h"
#include "tests/io/image_files.h"
#include "tests/support/support.h"

namespace mini::io {
namespace {

// Gradients with a little noise, so that codecs have something to do.
Tensor picture(std::int64_t height = 64, std::int64_t width = 64) {
  const Tensor image = Tensor::empty({height, width, 3}, DType::uint8);
  for (std::int64_t i = 0; i < image.numel(); ++i)
    image.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i * i / 977 + i % 7);
  return image;
}

constexpr ImageFormat all_formats[] = {ImageFormat::jpeg, ImageFormat::webp, ImageFormat::png};

// Sampling factors and kind of the frame header: 0xc0 baseline, 0xc2 progressive.
struct Frame {
  int kind, horizontal, vertical;
};
Frame frame_of(const Bytes& jpeg) {
  for (std::size_t i = 2; i + 12 < jpeg.size();) {
    const auto at = [&](std::size_t k) { return std::to_integer<int>(jpeg[i + k]); };
    if (at(1) == 0xc0 || at(1) == 0xc2) return {at(1), at(11) >> 4, at(11) & 15};
    i += 2 + static_cast<std::size_t>(at(2) << 8 | at(3));
  }
  return {};
}

TEST(EncodeJpeg, SubsamplingIsWhatWasAskedFor) {
  const auto factors = [](Subsampling subsampling) {
    return frame_of(encode(picture(), ImageFormat::jpeg, {.subsampling = subsampling}));
  };
  const Frame full = factors(Subsampling::s444), half = factors(Subsampling::s422),
              quarter = factors(Subsampling::s420);
  EXPECT_EQ(std::pair(full.horizontal, full.vertical), std::pair(1, 1));
  EXPECT_EQ(std::pair(half.horizontal, half.vertical), std::pair(2, 1));
  EXPECT_EQ(std::pair(quarter.horizontal, quarter.vertical), std::pair(2, 2));
}

TEST(EncodeJpeg, OptimisedAndProgressiveFilesAreSmallerAndHaveTheSamePixels) {
  const Tensor image = picture(256, 256);
  const Bytes plain = encode(image, ImageFormat::jpeg, 90);
  const Bytes optimised = encode(image, ImageFormat::jpeg, {.quality = 90, .optimise = true});
  const Bytes progressive = encode(image, ImageFormat::jpeg, {.quality = 90, .progressive = true});
  EXPECT_LT(optimised.size(), plain.size());
  EXPECT_LT(progressive.size(), plain.size());
  EXPECT_EQ(frame_of(plain).kind, 0xc0);
  EXPECT_EQ(frame_of(progressive).kind, 0xc2);
  EXPECT_TRUE(test::equal_bits(decode(optimised), decode(plain)));
  EXPECT_TRUE(test::equal_bits(decode(progressive), decode(plain)));
}

TEST(EncodeWebp, LosslessKeepsEveryPixelAndMethodsDiffer) {
  const Tensor image = picture();
  const Bytes exact = encode(image, ImageFormat::webp, {.lossless = true});
  EXPECT_TRUE(test::equal_bits(decode(exact), image));
  EXPECT_FALSE(test::equal_bits(decode(encode(image, ImageFormat::webp, 95)), image));
  EXPECT_NE(encode(image, ImageFormat::webp, {.webp_method = 0}),
            encode(image, ImageFormat::webp, {.webp_method = 6}));
}

TEST(EncodePng, LevelsTradeTimeForSizeAndLoseNothing) {
  const Tensor image = picture();
  const std::size_t stored = encode(image, ImageFormat::png, {.png_level = 0}).size();
  for (const int level : {0, 1, 6, 9}) {
    const Bytes file = encode(image, ImageFormat::png, {.png_level = level});
    EXPECT_TRUE(test::equal_bits(decode(file), image)) << level;
    EXPECT_TRUE(level == 0 || file.size() < stored) << level;
  }
  EXPECT_EQ(encode(image, ImageFormat::png, 1),
            encode(image, ImageFormat::png, {.png_level = default_png_level}));
  EXPECT_NE(test::error_of([&] {
              encode(image, ImageFormat::png, {.png_level = 10});
            }).find("outside 0 to 9"),
            std::string::npos);
}

// Longer than libpng takes by itself, and read back.
TEST(EncodePng, AnyLengthIsWrittenAndRead) {
  const Tensor image = Tensor::full({1, 1'100'000, 3}, 7, DType::uint8);
  EXPECT_TRUE(test::equal_bits(decode(encode(image, ImageFormat::png, {.png_level = 1})), image));
}

TEST(EncodeOptions, OutOfRangeIsRefused) {
  const auto refusal = [](const EncodeOptions& options) {
    return test::error_of([&] { encode(picture(), ImageFormat::jpeg, options); });
  };
  EXPECT_EQ(refusal({.quality = 0}), "encode: quality 0 is outside 1 to 100");
  EXPECT_EQ(refusal({.webp_method = 7}), "encode: WebP method 7 is outside 0 to 6");
}

TEST(EncodeToSize, TakesTheHighestQualityThatFits) {
  const Tensor image = picture(128, 128);
  for (const ImageFormat format : {ImageFormat::jpeg, ImageFormat::webp}) {
    const std::int64_t limit = std::ssize(encode(image, format, 60)) + 3;
    const FittedFile fitted = encode_to_size(image, format, limit);
    EXPECT_LE(std::ssize(fitted.bytes), limit);
    EXPECT_EQ(fitted.bytes, encode(image, format, fitted.quality));
    EXPECT_GE(fitted.quality, 60);
    EXPECT_GT(std::ssize(encode(image, format, fitted.quality + 1)), limit);
    const std::string refusal = test::error_of([&] { encode_to_size(image, format, 20); });
    EXPECT_NE(refusal.find("20 bytes are too few: quality 1 takes "), std::string::npos) << refusal;
  }
  EXPECT_NE(test::error_of([&] {
              encode_to_size(image, ImageFormat::png, 1'000'000);
            }).find("only JPEG and lossy WebP"),
            std::string::npos);
}

// --- Metadata ---

// The least that libpng takes for a profile of a display: a header of 128 bytes, a table of no tags,
// and bytes that mean nothing.
Bytes colour_profile(std::size_t size) {
  test::FileBytes profile;
  profile.big(size, 4).list({0, 0, 0, 0, 4, 0, 0, 0}).text("mntrRGB XYZ ");
  profile.raw(Bytes(12)).text("acsp").raw(Bytes(28));
  profile.big(0xf6d6, 4).big(0x10000, 4).big(0xd32d, 4).raw(Bytes(48)).big(0, 4);
  Bytes bytes = profile.bytes();
  for (std::size_t i = bytes.size(); i < size; ++i) bytes.push_back(static_cast<std::byte>(i * 7));
  return bytes;
}

TEST(Metadata, TravelsInEveryFormat) {
  // The long profile takes two segments of a JPEG.
  for (const std::size_t profile_size : {600, 90'000}) {
    const Metadata metadata{.exif = test::exif_data(1, false).bytes(),
                            .profile = colour_profile(profile_size),
                            .note = "size=640x480 scale=2"};
    for (const ImageFormat format : all_formats)
      for (const bool lossless : {false, true}) {
        SCOPED_TRACE(name_of(format));
        const EncodeOptions with{.quality = 80, .lossless = lossless, .metadata = &metadata};
        const EncodeOptions without{.quality = 80, .lossless = lossless};
        const Bytes file = encode(picture(), format, with);
        Metadata read;
        std::vector<std::string> notices;
        const Tensor image = decode(file, {.notices = &notices, .metadata = &read});
        EXPECT_EQ(read.exif, metadata.exif);
        EXPECT_EQ(read.profile, metadata.profile);
        EXPECT_EQ(read.note, metadata.note);
        EXPECT_TRUE(notices.empty());
        EXPECT_TRUE(test::equal_bits(image, decode(encode(picture(), format, without))));
      }
  }
}

// Up to 2 qualities have the same table: at 1 and 2, all steps are 255.
TEST(Metadata, AJpegShowsItsQuality) {
  const Tensor image = Tensor::full({16, 16, 3}, 128, DType::uint8);
  Metadata metadata;
  for (int quality = 1; quality <= 100; ++quality) {
    decode(encode(image, ImageFormat::jpeg, quality), {.metadata = &metadata});
    ASSERT_TRUE(metadata.quality.has_value());
    EXPECT_NEAR(*metadata.quality, quality, quality < 3 ? 1 : 0);
  }
  // A progressive file has its tables in the same place; PNG loses nothing.
  decode(encode(image, ImageFormat::jpeg, EncodeOptions{.quality = 63, .progressive = true}),
         {.metadata = &metadata});
  EXPECT_EQ(metadata.quality, 63);
  decode(encode(image, ImageFormat::png, 63), {.metadata = &metadata});
  EXPECT_FALSE(metadata.quality.has_value());
}

// Where the kinds of blocks differ, the quantisers are not those of the quality alone.
TEST(Metadata, ALossyWebpShowsItsQualityRoughly) {
  Metadata metadata;
  const std::filesystem::path photos =
      std::filesystem::path(MINI_SOURCE_DIR) / "data/photos/held_out";
  for (const char* name :
       {"astronaut.png", "chelsea.png", "coffee.png", "hubble.png", "rocket.png"})
    for (const int quality : {10, 30, 50, 75, 90, 100}) {
      const Tensor image = read_image(photos / name);
      decode(encode(image, ImageFormat::webp, quality), {.metadata = &metadata});
      ASSERT_TRUE(metadata.quality.has_value());
      EXPECT_NEAR(*metadata.quality, quality, 12) << name;
    }
  const Tensor flat = Tensor::full({16, 16, 3}, 128, DType::uint8);  // of one kind
  for (const int quality : {1, 5, 30, 60, 74, 75, 76, 90, 100}) {
    metadata.note = "with a chunk before it";
    const Metadata given = metadata;
    decode(encode(flat, ImageFormat::webp, EncodeOptions{.quality = quality, .metadata = &given}),
           {.metadata = &metadata});
    EXPECT_NEAR(*metadata.quality, quality, 2);
  }
  decode(encode(flat, ImageFormat::webp, EncodeOptions{.lossless = true}), {.metadata = &metadata});
  EXPECT_FALSE(metadata.quality.has_value());
}

TEST(Metadata, NothingToStoreAddsNoByte) {
  const Metadata none;
  for (const ImageFormat format : all_formats)
    EXPECT_EQ(encode(picture(), format, {.metadata = &none}), encode(picture(), format, {}));
}

TEST(Metadata, OfAnUprightImageAsksForNoTurn) {
  for (const bool big_endian : {false, true}) {
    const Metadata turned{.exif = test::exif_data(6, big_endian).bytes()};
    Metadata read;
    const Tensor image = decode(encode(picture(32, 64), ImageFormat::png, {.metadata = &turned}),
                                {.metadata = &read});
    EXPECT_EQ(image.shape(), Shape({64, 32, 3}));
    EXPECT_EQ(read.exif, test::exif_data(1, big_endian).bytes());
  }
}

TEST(Metadata, NotesOfStrangersAreLeftOutWhereTheyCouldDoHarm) {
  const Metadata metadata{.note = "AAAA"};
  Bytes file = encode(picture(), ImageFormat::jpeg, {.metadata = &metadata});
  const std::size_t place = as_text(file).find("AAAA");
  ASSERT_NE(place, std::string::npos);
  file[place] = std::byte{0x1b};  // would begin an escape sequence on a terminal
  Metadata read;
  decode(file, {.metadata = &read});
  EXPECT_EQ(read.note, "");
  const Metadata bad{.note = "two\nlines"};
  EXPECT_NE(test::error_of([&] {
              encode(picture(), ImageFormat::jpeg, {.metadata = &bad});
            }).find("printable ASCII"),
            std::string::npos);
}

TEST(Metadata, AProfileWithAMissingPartIsNone) {
  const Metadata metadata{.profile = colour_profile(90'000)};
  Bytes file = encode(picture(), ImageFormat::jpeg, {.metadata = &metadata});
  const std::size_t part = as_text(file).find(std::string_view("ICC_PROFILE\0\2\2", 14));
  ASSERT_NE(part, std::string::npos);
  file[part] = std::byte{'X'};
  Metadata read;
  EXPECT_TRUE(test::equal_bits(decode(file, {.metadata = &read}),
                               decode(encode(picture(), ImageFormat::jpeg, {}))));
  EXPECT_TRUE(read.profile.empty());
}

TEST(Metadata, TooMuchForAJpegIsRefused) {
  const Metadata metadata{.exif = Bytes(70'000)};
  EXPECT_NE(test::error_of([&] {
              encode(picture(), ImageFormat::jpeg, {.metadata = &metadata});
            }).find("a JPEG holds at most 65527 bytes of Exif data, not 70000"),
            std::string::npos);
}

}  // namespace
}  // namespace mini::io
