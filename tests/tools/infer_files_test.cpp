// The files that mini_infer downscale and upscale write: the original's size, what travels beside the
// pixels, and how they are encoded.
#include "io/modes.h"
#include "tensor/view.h"
#include "tests/io/image_files.h"
#include "tests/tools/infer_tool.h"
#include "tools/mini_infer/origin.h"

namespace mini {
namespace {

using InferFiles = InferTool;

TEST_F(InferFiles, EverySizeComesBack) {
  fs::create_directories(at("sizes"));
  for (const std::int64_t height : {1, 2, 3, 8, 17, 40})
    for (const std::int64_t width : {1, 2, 5, 16, 31, 40})
      io::write_image(at("sizes") / concat_text(width, 'x', height, ".png"),
                      Tensor::full({height, width, 3}, 90, DType::uint8));
  for (const std::string format : {"jpeg", "webp", "png"}) {
    ASSERT_EQ(run("downscale sizes small --weights sain.safetensors --format " + format), 0)
        << errors();
    ASSERT_EQ(run("upscale small large --weights sain.safetensors"), 0) << errors();
    EXPECT_EQ(errors(), "");
    for (const auto& original : fs::directory_iterator(at("sizes")))
      EXPECT_EQ(io::read_image(at("large") / original.path().filename()).shape(),
                io::read_image(original.path()).shape())
          << original.path().filename() << ' ' << format;
    fs::remove_all(at("small"));
    fs::remove_all(at("large"));
  }
}

// Every size from 1x1 to 40x40 and sides that are primes, as files.
TEST_F(InferFiles, EverySizeToFortyComesBack) {
  fs::create_directories(at("sizes"));
  const auto write_size = [&](std::int64_t width, std::int64_t height) {
    io::write_image(at("sizes") / concat_text(width, 'x', height, ".png"),
                    Tensor::full({height, width, 3}, 90, DType::uint8), {.png_level = 1});
  };
  for (std::int64_t height = 1; height <= 40; ++height)
    for (std::int64_t width = 1; width <= 40; ++width) write_size(width, height);
  for (const std::int64_t prime : {41, 43, 53, 61, 71, 83, 97, 101, 113, 127, 149, 163})
    write_size(prime, prime - 2);
  ASSERT_EQ(run("downscale sizes small --weights sain.safetensors --png-level 1"), 0) << errors();
  ASSERT_EQ(run("upscale small large --weights sain.safetensors --png-level 1"), 0) << errors();
  EXPECT_EQ(errors(), "");
  int count = 0;
  for (const auto& original : fs::directory_iterator(at("sizes"))) {
    const Tensor image = io::read_image(at("large") / original.path().filename());
    EXPECT_EQ(concat_text(image.size(1), 'x', image.size(0)), original.path().stem().string());
    ++count;
  }
  EXPECT_EQ(count, 1612);
}

TEST_F(InferFiles, ModesAreKept) {
  const auto native = [&](const std::string& name) {
    return io::read_image(at(name), {.native = true});
  };
  const Tensor rgb = photo();
  for (const std::int64_t channels : {1, 2, 3, 4})
    for (const bool deep : {false, true}) {
      Tensor picture = Tensor::full({33, 39, channels}, 90, DType::uint8);
      ops::copy(ops::narrow(rgb, 2, 0, std::min<std::int64_t>(channels, 3)),
                ops::narrow(picture, 2, 0, std::min<std::int64_t>(channels, 3)));
      if (deep) picture = io::to_32_bits(picture);
      io::write_file_atomically(at("in.png"), io::encode(picture, io::ImageFormat::png, {}));
      ASSERT_EQ(run("downscale in.png small.png --weights sain.safetensors"), 0) << errors();
      ASSERT_EQ(run("upscale small.png large.png --weights sain.safetensors"), 0) << errors();
      EXPECT_EQ(errors(), "");
      EXPECT_EQ(native("large.png").shape(), picture.shape());
      EXPECT_EQ(native("large.png").dtype(), picture.dtype());
      ASSERT_EQ(run("downscale in.png small.jpg --weights sain.safetensors"), 0) << errors();
      EXPECT_EQ(native("small.jpg").size(2), channels <= 2 ? 1 : 3);
      EXPECT_EQ(errors().find("was laid on white") != std::string::npos, channels % 2 == 0);
      EXPECT_EQ(errors().find("16 were rounded") != std::string::npos, deep) << errors();
      ASSERT_EQ(run("downscale in.png small.webp --weights sain.safetensors"), 0) << errors();
      EXPECT_EQ(native("small.webp").size(2), channels % 2 == 0 ? 4 : 3);
    }
}

TEST_F(InferFiles, AnImageWithoutANoteIsEnlargedWholeWithANotice) {
  io::write_image(at("small.png"), Tensor::full({4, 5, 3}, 90, DType::uint8));
  ASSERT_EQ(run("upscale small.png large.png --model bicubic"), 0);
  EXPECT_EQ(errors(),
            "mini_infer: small.png: does not tell the size of its original; the result has 2 times "
            "its own size\n");
  EXPECT_EQ(io::read_image(at("large.png")).shape(), (Shape{8, 10, 3}));
}

TEST_F(InferFiles, OtherWeightsAndOtherSizesAreTold) {
  ASSERT_EQ(run("downscale photos/one.png small.png --model bicubic"), 0);
  ASSERT_EQ(run("upscale small.png large.png --weights sain.safetensors"), 0);
  EXPECT_NE(errors().find("was made by bicubic, and these weights are sain:"), std::string::npos)
      << errors();
  EXPECT_EQ(io::read_image(at("large.png")).shape(), (Shape{33, 39, 3}));
  // Somebody cut the small image and left its note.
  io::Metadata metadata;
  const Tensor small = io::read_image(at("small.png"), {.metadata = &metadata});
  io::write_image(at("cut.png"), Tensor::full({4, 4, 3}, 1, DType::uint8), {.metadata = &metadata});
  ASSERT_EQ(run("upscale cut.png large.png --model bicubic"), 0);
  EXPECT_NE(errors().find("cut.png: is not what was made of 39x33 pixels at scale 2"),
            std::string::npos)
      << errors();
}

TEST_F(InferFiles, ExifDataTravelsUnlessStripped) {
  const io::Metadata metadata{.exif = test::exif_data(6, true).bytes()};  // seen turned
  io::write_image(at("turned.jpg"), Tensor::full({20, 30, 3}, 90, DType::uint8),
                  {.metadata = &metadata});
  const auto exif_of = [&](const std::string& name) {
    io::Metadata read;
    EXPECT_EQ(io::read_image(at(name), {.metadata = &read}).shape(),
              name == "large.webp" ? (Shape{30, 20, 3}) : (Shape{15, 10, 3}));
    return read.exif;
  };
  ASSERT_EQ(run("downscale turned.jpg small.png --model bicubic"), 0) << errors();
  EXPECT_EQ(exif_of("small.png"), test::exif_data(1, true).bytes());
  ASSERT_EQ(run("upscale small.png large.webp --model bicubic"), 0) << errors();
  EXPECT_EQ(exif_of("large.webp"), test::exif_data(1, true).bytes());
  ASSERT_EQ(run("downscale turned.jpg small.jpg --model bicubic --strip"), 0) << errors();
  EXPECT_TRUE(exif_of("small.jpg").empty());
}

TEST_F(InferFiles, MoreThanAJpegHoldsIsLeftOutWithANotice) {
  const io::Metadata metadata{.exif = io::Bytes(70'000)};
  io::write_image(at("big.png"), Tensor::full({20, 30, 3}, 90, DType::uint8),
                  {.metadata = &metadata});
  ASSERT_EQ(run("downscale big.png small.jpg --model bicubic"), 0) << errors();
  EXPECT_NE(errors().find("small.jpg: left out 70000 bytes of Exif data"), std::string::npos)
      << errors();
}

TEST_F(InferFiles, ATargetSizeIsKept) {
  ASSERT_EQ(run("downscale photos/one.png small.jpg --model bicubic --target-size 1K"), 0)
      << errors();
  EXPECT_LE(fs::file_size(at("small.jpg")), 1000u);
  EXPECT_NE(output().find(", quality "), std::string::npos) << output();
  ASSERT_EQ(run("downscale photos/one.png small.webp --model bicubic --target-bpp 20"), 0)
      << errors();
  EXPECT_LE(fs::file_size(at("small.webp")), 20u * 20 * 17 / 8);
  expect_failure("downscale photos/one.png s.jpg --model bicubic --target-size 100",
                 "s.jpg: encode_to_size: 100 bytes are too few: quality 1 takes ");
  expect_failure("downscale photos/one.png s.png --model bicubic --target-size 1K",
                 "only JPEG and lossy WebP have a quality to choose");
  expect_failure("downscale photos/one.png s.jpg --model bicubic --target-size 1K -q 3",
                 "excludes");
}

TEST_F(InferFiles, EncoderOptionsReachTheEncoder) {
  const Tensor small = infer::bicubic_scaler(2)->downscale(photo());
  const io::Metadata note{.note = "size=39x33 scale=2 model=bicubic"};
  const auto expect_file = [&](const std::string& name, const std::string& arguments,
                               io::ImageFormat format, io::EncodeOptions options) {
    options.metadata = &note;
    ASSERT_EQ(run("downscale photos/one.png " + name + " --model bicubic " + arguments), 0)
        << errors();
    EXPECT_EQ(content(at(name)), io::as_text(io::encode(small, format, options))) << arguments;
  };
  expect_file("a.jpg", "--subsampling 4:4:4 --optimise", io::ImageFormat::jpeg,
              {.subsampling = io::Subsampling::s444, .optimise = true});
  expect_file("a.jpg", "--subsampling 4:2:2 --progressive", io::ImageFormat::jpeg,
              {.subsampling = io::Subsampling::s422, .progressive = true});
  expect_file("a.webp", "--webp-method 6 -q 50", io::ImageFormat::webp,
              {.quality = 50, .webp_method = 6});
  expect_file("a.webp", "--lossless", io::ImageFormat::webp, {.lossless = true});
  expect_file("a.png", "--png-level 9", io::ImageFormat::png, {.png_level = 9});
}

TEST(Origin, IsReadAsItWasWrittenAndNothingElseIs) {
  const infer::Origin origin{4031, 3023, 4, "sain:9f3c01aa"};
  const std::string note = infer::to_note(origin);
  EXPECT_EQ(note, "size=4031x3023 scale=4 model=sain:9f3c01aa");
  const auto read = infer::parse_origin(note);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(infer::to_note(*read), note);
  for (const char* bad : {"", "size=4031", "size=0x3 scale=2 model=a", "size=3x-3 scale=2 model=a",
                          "size=99999999999x3 scale=2 model=a", "size=3x3 scale=2", "by mini"})
    EXPECT_FALSE(infer::parse_origin(bad).has_value()) << bad;
}

}  // namespace
}  // namespace mini
