// Measures how good a rescaling method is on a set of photographs, with bicubic beside it.
//
// Per image: HR is cropped at the bottom and right to a multiple of the scale; LR = downscale(HR)
// is stored by a real codec at each quality, decoded, upscaled, and rounded to 8 bits. PSNR and
// SSIM leave out a border of `scale` pixels. The table gives means over the images; a PSNR that is infinite,
// of an image that came back without loss, is left out of its mean. Read next: infer/scaler.h,
// infer/metrics.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "infer/scaler.h"

namespace mini::infer {

struct EvaluateOptions {
  std::vector<io::ImageFormat> formats = {io::ImageFormat::jpeg};
  std::vector<int> qualities = {30, 50, 70, 80, 90};
  // HR is cropped to a multiple of this and of the scale. The published numbers of Set14 are of
  // images cropped to multiples of 12.
  std::int64_t crop_multiple = 1;
  io::ReadOptions limits{};  // of the images
};

struct Measures {
  double psnr_y = 0, ssim_y = 0, psnr_rgb = 0, ssim_rgb = 0;  // of the restored HR
  double bits_per_pixel = 0;                                  // of the LR file, per LR pixel
  double lr_psnr_y = 0;  // of LR before the codec, against the bicubic LR; infinite for bicubic
};

struct EvaluationRow {
  std::string method;
  io::ImageFormat format;
  int quality;
  Measures mean;
  std::vector<Measures> images;  // one for each of Evaluation::images
};

// How the curve of PSNR-Y over bits differs from another one (infer/bjontegaard.h); none where the two cannot
// be compared.
struct RateComparison {
  io::ImageFormat format;
  std::string method, against;
  std::optional<double> bd_rate;  // percent
  std::optional<double> bd_psnr;  // dB
};

struct Evaluation {
  std::int64_t scale = 0;
  std::vector<std::string> images;      // file names
  std::vector<EvaluationRow> rows;      // by format, quality, method
  std::vector<std::string> notices{};   // "PATH: oddity" of files whose pixels are all there
  std::vector<RateComparison> rates{};  // what infer/rates.h makes of it; empty: not asked for
};

// HR cut at the bottom and right so that it fits the scale. An Error where too little is left.
Tensor cropped(const Tensor& image, const EvaluateOptions& options, std::int64_t scale);

// The measures of one image for each format and quality, in the order of the table.
std::vector<Measures> evaluate_image(const Scaler& scaler, const Tensor& image,
                                     const EvaluateOptions& options);

// All images at `places` (files or folders). Before the work begins, throws for an image that
// cannot be read or is too small for SSIM, since a mean over fewer images would be another number.
// Calls `progress` with the number of finished images and the total.
Evaluation evaluate(const std::vector<const Scaler*>& methods,
                    const std::vector<std::filesystem::path>& places,
                    const EvaluateOptions& options,
                    const std::function<void(std::size_t, std::size_t)>& progress = {});

std::string to_markdown(const Evaluation& evaluation);
std::string to_json(const Evaluation& evaluation);  // with the measures of each image

}  // namespace mini::infer
