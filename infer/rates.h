// What a table of an evaluation says about bits: how many a method saves, against bicubic and against the
// files that the original images give without being made small.
//
// A curve has a point for each quality: the mean over the images of the bits per pixel of the large image,
// and of PSNR-Y. Curves are compared by infer/bjontegaard.h.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "infer/bjontegaard.h"
#include "infer/evaluate.h"

namespace mini::infer {

// The curve of the original images, stored in this format at qualities from 5 to 90. Images are cropped as
// in the evaluation, and PSNR leaves out the same border.
std::vector<RatePoint> curve_of_originals(const std::vector<std::filesystem::path>& places,
                                          io::ImageFormat format, const EvaluateOptions& options,
                                          std::int64_t scale);

// Each method of the evaluation against bicubic, if that is one of them, and against the originals of
// `places`, in each format that has qualities.
std::vector<RateComparison> compare_rates(const Evaluation& evaluation,
                                          const std::vector<std::filesystem::path>& places,
                                          const EvaluateOptions& options);

}  // namespace mini::infer
