// What an evaluation says about bits: the curves it makes, and how it tells their comparison.
#include "infer/rates.h"

#include <nlohmann/json.hpp>

#include "infer/metrics.h"
#include "tests/support/support.h"

namespace mini::infer {
namespace {
namespace fs = std::filesystem;

const std::vector<fs::path> photo{fs::path(MINI_SOURCE_DIR) / "data/photos/held_out/chelsea.png"};

// Bicubic, and the same with a tenth more bits.
Evaluation evaluated(const EvaluateOptions& options) {
  const auto bicubic = bicubic_scaler(2);
  Evaluation evaluation = evaluate({bicubic.get()}, photo, options);
  const std::vector<EvaluationRow> rows = evaluation.rows;
  for (EvaluationRow row : rows) {
    row.method = "wasteful";
    row.mean.bits_per_pixel *= 1.1;
    evaluation.rows.push_back(row);
  }
  return evaluation;
}

TEST(Rates, TheOriginalsAreStoredAsTheyAre) {
  const auto curve = curve_of_originals(photo, io::ImageFormat::jpeg, {}, 2);
  ASSERT_EQ(curve.size(), 11u);
  const Tensor image = cropped(io::read_image(photo[0]), {}, 2);
  const io::Bytes file = io::encode(image, io::ImageFormat::jpeg, 50);
  EXPECT_DOUBLE_EQ(curve[6].bits, 8 * static_cast<double>(file.size()) /
                                      static_cast<double>(image.size(0) * image.size(1)));
  EXPECT_DOUBLE_EQ(curve[6].psnr, psnr(io::decode(file), image, Colour::y, 2));
}

TEST(Rates, CompareEveryMethodWithBicubicAndTheOriginals) {
  const EvaluateOptions options{.formats = {io::ImageFormat::jpeg, io::ImageFormat::png},
                                .qualities = {30, 50, 70, 90}};
  Evaluation evaluation = evaluated(options);
  evaluation.rates = compare_rates(evaluation, photo, options);
  ASSERT_EQ(evaluation.rates.size(), 3u);  // none for PNG
  const RateComparison &bicubic = evaluation.rates[0], &wasteful = evaluation.rates[1];
  EXPECT_EQ(bicubic.against, "jpeg of the originals");
  EXPECT_TRUE(bicubic.bd_rate.has_value());
  EXPECT_EQ(wasteful.method, "wasteful");
  EXPECT_EQ(wasteful.against, "bicubic");
  EXPECT_NEAR(wasteful.bd_rate.value(), 10, 1e-9);
  EXPECT_LT(wasteful.bd_psnr.value(), 0);

  EXPECT_NE(to_markdown(evaluation).find("| jpeg | wasteful | bicubic | +10.0 | -"),
            std::string::npos)
      << to_markdown(evaluation);
  const auto json = nlohmann::json::parse(to_json(evaluation));
  EXPECT_EQ(json["rates"][1]["method"], "wasteful");
  EXPECT_NEAR(json["rates"][1]["bd_rate"].get<double>(), 10, 1e-9);
}

// Two qualities make no curve.
TEST(Rates, SayWhereThereIsNoNumber) {
  const EvaluateOptions options{.qualities = {30, 90}};
  Evaluation evaluation = evaluated(options);
  EXPECT_EQ(to_markdown(evaluation).find("BD-rate"), std::string::npos);
  evaluation.rates = compare_rates(evaluation, photo, options);
  EXPECT_NE(to_markdown(evaluation).find("| jpeg | wasteful | bicubic | – | – |"),
            std::string::npos);
  EXPECT_TRUE(nlohmann::json::parse(to_json(evaluation))["rates"][0]["bd_rate"].is_null());
}

}  // namespace
}  // namespace mini::infer
