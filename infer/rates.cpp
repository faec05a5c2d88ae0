#include "infer/rates.h"

#include <algorithm>

#include "infer/images.h"
#include "infer/metrics.h"

namespace mini::infer {
namespace {

constexpr int original_qualities[] = {5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90};

std::vector<RatePoint> curve_of(const Evaluation& evaluation, const std::string& method,
                                io::ImageFormat format) {
  const auto pixels = static_cast<double>(evaluation.scale * evaluation.scale);  // for each of LR
  std::vector<RatePoint> curve;
  for (const EvaluationRow& row : evaluation.rows)
    if (row.method == method && row.format == format)
      curve.push_back({row.mean.bits_per_pixel / pixels, row.mean.psnr_y});
  return curve;
}

// Each once, in the order of the table.
template <class Value>
std::vector<Value> values_of(const Evaluation& evaluation, Value EvaluationRow::*field) {
  std::vector<Value> values;
  for (const EvaluationRow& row : evaluation.rows)
    if (std::find(values.begin(), values.end(), row.*field) == values.end())
      values.push_back(row.*field);
  return values;
}

}  // namespace

std::vector<RatePoint> curve_of_originals(const std::vector<std::filesystem::path>& places,
                                          io::ImageFormat format, const EvaluateOptions& options,
                                          std::int64_t scale) {
  std::vector<RatePoint> curve(std::size(original_qualities), {0, 0});
  const auto paths = find_images(places);
  for (const auto& path : paths) {
    const Tensor image = cropped(io::read_image(path), options, scale);
    const auto pixels = static_cast<double>(image.size(0) * image.size(1) * std::ssize(paths));
    for (std::size_t i = 0; i < curve.size(); ++i) {
      const io::Bytes file = io::encode(image, format, original_qualities[i]);
      const Tensor decoded = io::decode(file, {.max_pixels = io::any_size});
      curve[i].bits += 8 * static_cast<double>(file.size()) / pixels;
      curve[i].psnr += psnr(decoded, image, Colour::y, scale) / static_cast<double>(paths.size());
    }
  }
  return curve;
}

std::vector<RateComparison> compare_rates(const Evaluation& evaluation,
                                          const std::vector<std::filesystem::path>& places,
                                          const EvaluateOptions& options) {
  std::vector<RateComparison> comparisons;
  const std::vector<std::string> methods = values_of(evaluation, &EvaluationRow::method);
  for (const io::ImageFormat format : values_of(evaluation, &EvaluationRow::format)) {
    if (format == io::ImageFormat::png) continue;  // its files are the same at every quality
    const std::vector<RatePoint> originals =
        curve_of_originals(places, format, options, evaluation.scale);
    const std::vector<RatePoint> bicubic = curve_of(evaluation, "bicubic", format);
    for (const std::string& method : methods) {
      const std::vector<RatePoint> curve = curve_of(evaluation, method, format);
      if (!bicubic.empty() && method != "bicubic")
        comparisons.push_back(
            {format, method, "bicubic", bd_rate(curve, bicubic), bd_psnr(curve, bicubic)});
      comparisons.push_back({format, method, concat_text(io::name_of(format), " of the originals"),
                             bd_rate(curve, originals), bd_psnr(curve, originals)});
    }
  }
  return comparisons;
}

}  // namespace mini::infer
