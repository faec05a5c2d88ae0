#include "infer/evaluate.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "autograd/functions.h"
#include "infer/metrics.h"
#include "tensor/allocator.h"
#include "tensor/view.h"
#include "tests/support/networks.h"
#include "tests/support/support.h"

namespace mini::infer {
namespace {

// Smooth waves, which codecs and interpolation preserve in part.
Tensor waves(std::int64_t height, std::int64_t width) {
  Tensor image = Tensor::empty({height, width, 3}, DType::uint8);
  std::uint8_t* pixel = image.data<std::uint8_t>();
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        *pixel++ = static_cast<std::uint8_t>(128 + 100 * std::sin(0.3 * double(x) + c) *
                                                       std::cos(0.2 * double(y) - c));
  return image;
}

std::unique_ptr<models::Rescaler> small_network() {
  Generator generator{5};
  return test::make_network("sain", {.growth = 8}, generator);
}

TEST(Scaler, BicubicIsTheRoundedResize) {
  const Tensor image = waves(12, 16);
  const auto scaler = bicubic_scaler(2);
  EXPECT_TRUE(test::equal_bits(scaler->downscale(image),
                               io::to_image(resize_bicubic(io::to_float(image), 0.5))));
  EXPECT_TRUE(test::equal_bits(scaler->upscale(image),
                               io::to_image(resize_bicubic(io::to_float(image), 2))));
}

// It works in strips, whose results join without a seam; a side that is no multiple of the scale is
// continued by its mirror image.
TEST(Scaler, BicubicInStripsIsTheWholeImage) {
  const Tensor image = waves(301, 37);
  for (const std::int64_t scale : {1, 2, 3, 4, 16}) {
    SCOPED_TRACE(scale);
    const auto scaler = bicubic_scaler(scale);
    const auto factor = static_cast<double>(scale);
    const auto missing = [&](int side) { return (scale - image.size(side) % scale) % scale; };
    const Tensor whole =
        pad2d(io::to_float(image), {.right = missing(1), .bottom = missing(0)}, PadMode::reflect);
    EXPECT_TRUE(test::equal_bits(scaler->downscale(image),
                                 io::to_image(resize_bicubic(whole, 1 / factor))));
    if (scale < 16) {
      EXPECT_TRUE(test::equal_bits(scaler->upscale(image),
                                   io::to_image(resize_bicubic(io::to_float(image), factor))));
    }
  }
}

TEST(Scaler, ASideIsContinuedByItsMirrorImage) {
  const auto network = small_network();
  const auto scaler = network_scaler(*network);
  const Tensor image = waves(33, 41);
  const Tensor whole = pad2d(io::to_float(image), {.right = 1, .bottom = 1}, PadMode::reflect);
  EXPECT_TRUE(test::equal_bits(scaler->downscale(image), io::to_image(network->downscale(whole))));
}

// 16 bits a value go through as float32 and are not rounded to 8.
TEST(Scaler, MoreThanEightBitsStay) {
  const auto network = small_network();
  Generator generator{3, 0};
  const Tensor image = ops::uniform(generator, {24, 20, 3});
  const Tensor x =
      ops::reshape(ops::contiguous(ops::permute(image, std::array{2, 0, 1})), {1, 3, 24, 20});
  const Tensor expected = clamp(resize_bicubic(x, 2), 0, 1);
  const Tensor large = bicubic_scaler(2)->upscale(image);
  ASSERT_EQ(large.dtype(), DType::float32);
  EXPECT_EQ(ops::reshape(ops::contiguous(ops::permute(large, std::array{2, 0, 1})), {1, 3, 48, 40})
                .to_vector(),
            expected.to_vector());
  const auto scaler = network_scaler(*network);
  EXPECT_EQ(scaler->downscale(image).dtype(), DType::float32);
  EXPECT_EQ(scaler->upscale(image).shape(), (Shape{48, 40, 3}));
}

TEST(Scaler, TheNetworkIsTheRescalersOwn) {
  const auto network = small_network();
  const auto scaler = network_scaler(*network);
  EXPECT_EQ(scaler->name(), "sain");
  EXPECT_EQ(scaler->scale(), 2);
  const Tensor image = waves(12, 16);
  const Tensor x = io::to_float(image);
  EXPECT_TRUE(test::equal_bits(scaler->downscale(image), io::to_image(network->downscale(x))));
  EXPECT_TRUE(test::equal_bits(scaler->upscale(image), io::to_image(network->upscale(x))));
  EXPECT_FALSE(scaler->upscale(image).requires_grad());
}

// Disables the cache, so that the counters show the sizes requested; the destructor removes all
// limits.
class LimitedScaler : public testing::Test {
 protected:
  LimitedScaler() { allocator({}).set_cache_limit(0); }
  ~LimitedScaler() override { allocator({}).set_cache_limit(std::size_t{4} << 30); }

  // The peak of memory in tensors during work().
  template <class Work>
  static std::size_t peak(const Work& work) {
    allocator({}).reset_peak();
    work();
    return allocator({}).stats().peak;
  }
};

TEST_F(LimitedScaler, MemoryChangesNoPixelAndIsNotExceeded) {
  const auto network = small_network();
  const Tensor image = waves(801, 64);
  for (const std::optional<std::uint64_t> seed : {std::optional<std::uint64_t>(), {3}}) {
    const auto free = network_scaler(*network, seed);
    Tensor small, large;
    const std::size_t most = std::max(peak([&] { small = free->downscale(image); }),
                                      peak([&] { large = free->upscale(image); }));
    for (const std::size_t percent : {90, 60, 45}) {
      const std::size_t limit = most * percent / 100;
      const auto limited = network_scaler(*network, seed, {.bytes = limit, .outside = 1000});
      Tensor small_again, large_again;
      EXPECT_LE(peak([&] { small_again = limited->downscale(image); }), limit - 1000);
      EXPECT_LE(peak([&] { large_again = limited->upscale(image); }), limit - 1000);
      EXPECT_TRUE(test::equal_bits(small_again, small)) << percent;
      EXPECT_TRUE(test::equal_bits(large_again, large)) << percent;
    }
  }
}

TEST_F(LimitedScaler, TellsTheLeastThatWillDo) {
  const auto network = small_network();
  const Tensor image = waves(401, 1000);
  for (const bool up : {false, true}) {
    const auto scale = [&](std::size_t million) {
      const auto scaler = network_scaler(*network, {}, {.bytes = million * 1'000'000});
      return up ? scaler->upscale(image) : scaler->downscale(image);
    };
    const std::string message = test::error_of([&] { scale(1); });
    const std::string start =
        concat_text(up ? "upscale" : "downscale",
                    ": an image of 1000x401 does not fit in a memory limit of 1M; ");
    ASSERT_TRUE(message.starts_with(start)) << message;
    const auto least = static_cast<std::size_t>(std::stol(message.substr(start.size())));
    EXPECT_NE(test::error_of([&] { scale(least - 1); }).find(concat_text(least, "M is the least")),
              std::string::npos);
    Tensor result;
    EXPECT_LE(peak([&] { result = scale(least); }), least * 1'000'000);
    EXPECT_TRUE(test::equal_bits(result, scale(1000 * least)));
  }
}

TEST(Scaler, ASampledLatentDependsOnItsSeedAlone) {
  const auto network = small_network();
  const Tensor image = waves(12, 16);
  const auto first = network_scaler(*network, 1), second = network_scaler(*network, 2);
  const Tensor once = first->upscale(image);
  EXPECT_TRUE(test::equal_bits(once, first->upscale(image)));
  EXPECT_FALSE(test::equal_bits(once, second->upscale(image)));
}

TEST(Scaler, TakesSidesThatAreNoMultiple) {
  const auto network = small_network();
  const auto bicubic = bicubic_scaler(4), sain = network_scaler(*network);
  EXPECT_EQ(bicubic->downscale(waves(13, 17)).shape(), (Shape{4, 5, 3}));
  EXPECT_EQ(sain->downscale(waves(13, 17)).shape(), (Shape{7, 9, 3}));
  const RoundTrip trip = round_trip(*sain, waves(1, 17), io::ImageFormat::png, 75);
  EXPECT_EQ(trip.lr.shape(), (Shape{1, 9, 3}));
  EXPECT_EQ(trip.hr.shape(), (Shape{1, 17, 3}));
}

TEST(Scaler, RefusesWhatIsNoImage) {
  const auto scaler = bicubic_scaler(2);
  EXPECT_EQ(test::error_of([&] {
              scaler->downscale(Tensor::zeros({1, 3, 4, 4}));
            }),
            "downscale: an image is uint8 [H,W,3], got float32[1,3,4,4]");
  EXPECT_EQ(test::error_of([&] {
              scaler->upscale(Tensor::zeros({0, 4, 3}, DType::uint8));
            }),
            "upscale: the image has no pixels, shape [0,4,3]");
}

TEST(RoundTrip, IsDownscaleCodecUpscale) {
  const auto scaler = bicubic_scaler(2);
  const Tensor image = waves(32, 48);
  const RoundTrip trip = round_trip(*scaler, image, io::ImageFormat::jpeg, 60);
  EXPECT_TRUE(test::equal_bits(trip.lr, scaler->downscale(image)));
  EXPECT_EQ(trip.file, io::encode(trip.lr, io::ImageFormat::jpeg, 60));
  EXPECT_TRUE(test::equal_bits(trip.hr, scaler->upscale(io::decode(trip.file))));
}

class EvaluateTest : public testing::Test {
 protected:
  void SetUp() override {
    io::write_image(folder_.path() / "a.png", waves(38, 51));
    io::write_image(folder_.path() / "b.png", waves(44, 40));
  }
  test::TemporaryFolder folder_;
  const EvaluateOptions options_{.formats = {io::ImageFormat::jpeg, io::ImageFormat::webp},
                                 .qualities = {30, 90}};
};

TEST_F(EvaluateTest, FollowsTheProtocol) {
  const auto scaler = bicubic_scaler(2);
  const Evaluation table = evaluate({scaler.get()}, {folder_.path()}, options_);
  EXPECT_EQ(table.images, (std::vector<std::string>{"a.png", "b.png"}));
  ASSERT_EQ(table.rows.size(), 4u);
  const EvaluationRow& row = table.rows[1];
  EXPECT_EQ(row.format, io::ImageFormat::jpeg);
  EXPECT_EQ(row.quality, 90);

  const Tensor hr = ops::contiguous(ops::narrow(waves(38, 51), 1, 0, 50));
  const RoundTrip trip = round_trip(*scaler, hr, io::ImageFormat::jpeg, 90);
  const Measures& first = row.images[0];
  EXPECT_EQ(first.psnr_y, psnr(trip.hr, hr, Colour::y, 2));
  EXPECT_EQ(first.ssim_rgb, ssim(trip.hr, hr, Colour::rgb, 2));
  EXPECT_EQ(first.bits_per_pixel, 8.0 * double(trip.file.size()) / (19 * 25));
  EXPECT_TRUE(std::isinf(first.lr_psnr_y)) << "bicubic's LR is the reference itself";
  EXPECT_DOUBLE_EQ(row.mean.psnr_y, (first.psnr_y + row.images[1].psnr_y) / 2);
}

TEST_F(EvaluateTest, AFlatImageDoesNotMakeTheMeanInfinite) {
  io::write_image(folder_.path() / "flat.png", Tensor::full({40, 40, 3}, 128, DType::uint8));
  const auto scaler = bicubic_scaler(2);
  const Evaluation table = evaluate({scaler.get()}, {folder_.path()}, options_);
  const EvaluationRow& row = table.rows.front();
  ASSERT_EQ(row.images.size(), 3u);
  EXPECT_TRUE(std::isinf(row.images[2].psnr_y)) << table.images[2];
  EXPECT_DOUBLE_EQ(row.mean.psnr_y, (row.images[0].psnr_y + row.images[1].psnr_y) / 2);
  EXPECT_NEAR(row.mean.ssim_y,
              (row.images[0].ssim_y + row.images[1].ssim_y + row.images[2].ssim_y) / 3, 1e-12);
  EXPECT_NE(to_markdown(table).find("| inf |"), std::string::npos) << "bicubic's LR";
  const Evaluation flat = evaluate({scaler.get()}, {folder_.path() / "flat.png"}, options_);
  EXPECT_TRUE(std::isinf(flat.rows.front().mean.psnr_y));
}

TEST_F(EvaluateTest, PutsMethodsSideBySide) {
  const auto network = small_network();
  const auto bicubic = bicubic_scaler(2), sain = network_scaler(*network);
  const Evaluation table = evaluate({bicubic.get(), sain.get()}, {folder_.path()}, options_);
  ASSERT_EQ(table.rows.size(), 8u);
  const EvaluationRow& row = table.rows[5];
  EXPECT_EQ(row.method, "sain");
  EXPECT_EQ(row.format, io::ImageFormat::webp);
  EXPECT_EQ(row.quality, 30);
  const auto alone = evaluate_image(*sain, waves(44, 40), options_);
  EXPECT_EQ(row.images[1].psnr_y, alone[2].psnr_y);
  EXPECT_EQ(row.images[1].lr_psnr_y, alone[2].lr_psnr_y);
  EXPECT_TRUE(std::isfinite(alone[2].lr_psnr_y));
}

TEST_F(EvaluateTest, CropsToTheMultipleAskedFor) {
  const auto scaler = bicubic_scaler(2);
  const Tensor image = waves(38, 51);
  const Tensor cut = ops::contiguous(ops::narrow(ops::narrow(image, 0, 0, 36), 1, 0, 48));
  EvaluateOptions with = options_;
  with.crop_multiple = 12;
  EXPECT_EQ(evaluate_image(*scaler, image, with)[0].psnr_y,
            evaluate_image(*scaler, cut, options_)[0].psnr_y);
}

TEST_F(EvaluateTest, WritesTheTableAsJsonAndMarkdown) {
  const auto scaler = bicubic_scaler(2);
  const Evaluation table = evaluate({scaler.get()}, {folder_.path()}, options_);
  const auto json = nlohmann::json::parse(to_json(table));
  EXPECT_EQ(json["scale"], 2);
  EXPECT_EQ(json["rows"][1]["quality"], 90);
  EXPECT_DOUBLE_EQ(json["rows"][1]["mean"]["psnr_y"], table.rows[1].mean.psnr_y);
  EXPECT_DOUBLE_EQ(json["rows"][1]["per_image"][1]["bits_per_pixel"],
                   table.rows[1].images[1].bits_per_pixel);
  EXPECT_TRUE(json["rows"][0]["mean"]["lr_psnr_y"].is_null());
  EXPECT_NE(to_markdown(table).find("| webp | 30 | bicubic | "), std::string::npos);
  char bits[64];
  std::snprintf(bits, sizeof bits, "| %.3f | %.3f |", table.rows[0].mean.bits_per_pixel,
                table.rows[0].mean.bits_per_pixel / 4);
  EXPECT_NE(to_markdown(table).find(bits), std::string::npos) << bits;
}

TEST_F(EvaluateTest, RefusesImagesThatDoNotCount) {
  const auto scaler = bicubic_scaler(2);
  const auto run = [&] { evaluate({scaler.get()}, {folder_.path()}, options_); };
  io::write_image(folder_.path() / "c.png", waves(15, 14));
  EXPECT_EQ(test::error_of(run), (folder_.path() / "c.png").string() +
                                     ": evaluate: an image of 14x15 is too small; cropped to "
                                     "multiples of 2 it must have 15 pixels a side");
  std::ofstream(folder_.path() / "c.png") << "broken";
  EXPECT_NE(test::error_of(run).find("c.png"), std::string::npos);
}

TEST_F(EvaluateTest, RefusesImpossibleOptions) {
  const auto two = bicubic_scaler(2), four = bicubic_scaler(4);
  EXPECT_EQ(test::error_of([&] {
              evaluate({two.get(), four.get()}, {folder_.path()}, options_);
            }),
            "evaluate: methods of scale 2 and 4 cannot share a table");
  EXPECT_EQ(test::error_of([&] { evaluate({two.get()}, {folder_.path()}, {.qualities = {101}}); }),
            "evaluate: quality must be 1 to 100, got 101");
}

}  // namespace
}  // namespace mini::infer
