#include "infer/evaluate.h"

#include <cmath>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "infer/images.h"
#include "infer/metrics.h"
#include "tensor/view.h"

namespace mini::infer {
namespace {

constexpr std::int64_t ssim_window = 11;

void check_options(const EvaluateOptions& options) {
  check(!options.formats.empty(), "evaluate: no format was given");
  check(!options.qualities.empty(), "evaluate: no quality was given");
  for (const int quality : options.qualities)
    check(quality >= 1 && quality <= 100, "evaluate: quality must be 1 to 100, got ", quality);
  check(options.crop_multiple >= 1, "evaluate: crop_multiple must be at least 1, got ",
        options.crop_multiple);
}

constexpr double Measures::*const fields[] = {&Measures::psnr_y,         &Measures::ssim_y,
                                              &Measures::psnr_rgb,       &Measures::ssim_rgb,
                                              &Measures::bits_per_pixel, &Measures::lr_psnr_y};
constexpr const char* const field_names[] = {"psnr_y",   "ssim_y",         "psnr_rgb",
                                             "ssim_rgb", "bits_per_pixel", "lr_psnr_y"};

// Of the finite values: one flat image that comes back without loss would make the PSNR of a whole set
// infinite. Infinite where all are.
Measures mean_of(const std::vector<Measures>& all) {
  Measures mean;
  for (const auto field : fields) {
    double sum = 0, count = 0;
    for (const Measures& one : all)
      if (std::isfinite(one.*field)) {
        sum += one.*field;
        ++count;
      }
    mean.*field = count > 0 ? sum / count : all.front().*field;
  }
  return mean;
}

// JSON has no infinity: a PSNR of equal images becomes null.
nlohmann::ordered_json json_of(const Measures& measures) {
  nlohmann::ordered_json json;
  for (std::size_t i = 0; i < std::size(fields); ++i) {
    const double value = measures.*fields[i];
    if (std::isfinite(value))
      json[field_names[i]] = value;
    else
      json[field_names[i]] = nullptr;
  }
  return json;
}

std::string fixed(double value, int digits) {
  if (!std::isfinite(value)) return "inf";
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

// Null where there is no number.
nlohmann::ordered_json json_of(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

// "-12.3"; a dash where there is no number.
std::string signed_text(const std::optional<double>& value, int digits) {
  if (!value) return "–";
  return concat_text(*value >= 0 ? "+" : "", fixed(*value, digits));
}

}  // namespace

Tensor cropped(const Tensor& image, const EvaluateOptions& options, std::int64_t scale) {
  const std::int64_t multiple = std::lcm(options.crop_multiple, scale);
  const std::int64_t height = image.size(0) / multiple * multiple;
  const std::int64_t width = image.size(1) / multiple * multiple;
  const std::int64_t least = 2 * scale + ssim_window;
  check(std::min(height, width) >= least, "evaluate: an image of ", image.size(1), "x",
        image.size(0), " is too small; cropped to multiples of ", multiple, " it must have ", least,
        " pixels a side");
  return ops::contiguous(ops::narrow(ops::narrow(image, 0, 0, height), 1, 0, width));
}

std::vector<Measures> evaluate_image(const Scaler& scaler, const Tensor& image,
                                     const EvaluateOptions& options) {
  check_options(options);
  const std::int64_t scale = scaler.scale();
  const Tensor hr = cropped(image, options, scale);
  const Tensor lr = scaler.downscale(hr);
  const double lr_psnr = psnr(lr, bicubic_scaler(scale)->downscale(hr), Colour::y);
  const auto pixels = static_cast<double>(lr.size(0) * lr.size(1));
  std::vector<Measures> all;
  for (const io::ImageFormat format : options.formats)
    for (const int quality : options.qualities) {
      const io::Bytes file = io::encode(lr, format, quality);
      const auto [decoded, shown] = decode_stored(file);
      const Tensor restored = scaler.upscale(decoded, shown);
      all.push_back({.psnr_y = psnr(restored, hr, Colour::y, scale),
                     .ssim_y = ssim(restored, hr, Colour::y, scale),
                     .psnr_rgb = psnr(restored, hr, Colour::rgb, scale),
                     .ssim_rgb = ssim(restored, hr, Colour::rgb, scale),
                     .bits_per_pixel = 8 * static_cast<double>(file.size()) / pixels,
                     .lr_psnr_y = lr_psnr});
    }
  return all;
}

Evaluation evaluate(const std::vector<const Scaler*>& methods,
                    const std::vector<std::filesystem::path>& places,
                    const EvaluateOptions& options,
                    const std::function<void(std::size_t, std::size_t)>& progress) {
  check_options(options);
  check(!methods.empty(), "evaluate: no method was given");
  Evaluation result;
  result.scale = methods.front()->scale();
  for (const Scaler* method : methods)
    check(method->scale() == result.scale, "evaluate: methods of scale ", result.scale, " and ",
          method->scale(), " cannot share a table");
  for (const io::ImageFormat format : options.formats)
    for (const int quality : options.qualities)
      for (const Scaler* method : methods)
        result.rows.push_back({method->name(), format, quality, {}, {}});

  const auto paths = find_images(places);
  io::ReadOptions read = options.limits;
  for (const auto& path : paths) {
    std::vector<std::string> notices;
    read.notices = &notices;
    const Tensor image = io::read_image(path, read);
    for (const std::string& notice : notices)
      result.notices.push_back(path.string() + ": " + notice);
    try {
      cropped(image, options, result.scale);
    } catch (const Error& error) {
      fail(path.string(), ": ", error.what());
    }
    result.images.push_back(path.filename().string());
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const Tensor image = io::read_image(paths[i], options.limits);
    for (std::size_t m = 0; m < methods.size(); ++m) {
      const auto measures = evaluate_image(*methods[m], image, options);
      for (std::size_t k = 0; k < measures.size(); ++k)
        result.rows[k * methods.size() + m].images.push_back(measures[k]);
    }
    if (progress) progress(i + 1, paths.size());
  }
  for (EvaluationRow& row : result.rows) row.mean = mean_of(row.images);
  return result;
}

std::string to_markdown(const Evaluation& evaluation) {
  const auto area = static_cast<double>(evaluation.scale * evaluation.scale);  // HR / LR pixels
  std::ostringstream out;
  out << "×" << evaluation.scale << ", " << evaluation.images.size()
      << " images. PSNR in dB; bits of the LR file per pixel of LR and of HR; LR PSNR: Y, LR "
         "before the codec against the bicubic LR. inf: no difference; a mean leaves out such "
         "images.\n\n"
      << "| codec | quality | method | PSNR-Y | SSIM-Y | PSNR-RGB | SSIM-RGB | bits/LR px | "
         "bits/HR px | LR PSNR |\n"
      << "|---|---|---|---|---|---|---|---|---|---|\n";
  for (const EvaluationRow& row : evaluation.rows) {
    const Measures& mean = row.mean;
    out << "| " << io::name_of(row.format) << " | " << row.quality << " | " << row.method << " | "
        << fixed(mean.psnr_y, 3) << " | " << fixed(mean.ssim_y, 4) << " | "
        << fixed(mean.psnr_rgb, 3) << " | " << fixed(mean.ssim_rgb, 4) << " | "
        << fixed(mean.bits_per_pixel, 3) << " | " << fixed(mean.bits_per_pixel / area, 3) << " | "
        << fixed(mean.lr_psnr_y, 2) << " |\n";
  }
  if (!evaluation.rates.empty())
    out << "\nBjøntegaard's means over the qualities: the bits that a method takes for the same "
           "PSNR-Y, and "
           "its PSNR-Y at the same bits.\n\n"
        << "| codec | method | against | BD-rate % | BD-PSNR dB |\n|---|---|---|---|---|\n";
  for (const RateComparison& rate : evaluation.rates)
    out << "| " << io::name_of(rate.format) << " | " << rate.method << " | " << rate.against
        << " | " << signed_text(rate.bd_rate, 1) << " | " << signed_text(rate.bd_psnr, 2) << " |\n";
  return out.str();
}

std::string to_json(const Evaluation& evaluation) {
  nlohmann::ordered_json json;
  json["scale"] = evaluation.scale;
  json["images"] = evaluation.images;
  for (const EvaluationRow& row : evaluation.rows) {
    nlohmann::ordered_json entry;
    entry["format"] = io::name_of(row.format);
    entry["quality"] = row.quality;
    entry["method"] = row.method;
    entry["mean"] = json_of(row.mean);
    for (const Measures& image : row.images) entry["per_image"].push_back(json_of(image));
    json["rows"].push_back(entry);
  }
  for (const RateComparison& rate : evaluation.rates)
    json["rates"].push_back({{"format", io::name_of(rate.format)},
                             {"method", rate.method},
                             {"against", rate.against},
                             {"bd_rate", json_of(rate.bd_rate)},
                             {"bd_psnr", json_of(rate.bd_psnr)}});
  // A file name need not be UTF-8.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace mini::infer
