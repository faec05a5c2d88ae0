// The commands of mini_infer. Each returns the exit code; errors that stop the whole command are
// thrown.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "infer/evaluate.h"
#include "io/image.h"
#include "tools/mini_infer/jobs.h"
#include "tools/mini_infer/model.h"

namespace mini::infer {

// downscale and upscale (scale.cpp)
struct ScaleOptions {
  bool up = false;
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path output;
  io::ImageFormat format = io::ImageFormat::png;  // of files written into a folder, or to a stream
  Naming naming{};                                // of these; its extension is that of the format
  io::EncodeOptions encode{};
  std::int64_t target_bytes =
      0;                  // of each file: the highest quality that fits; 0: as `encode` says
  double target_bpp = 0;  // the same in bits for each pixel of the file
  bool strip = false;     // leave Exif data and colour profiles out
};
int scale_images(const ModelOptions& model, const ScaleOptions& options);

// report, and --report and --plot of the others (report.cpp)
struct ReportFiles {
  std::filesystem::path page, plot;  // HTML, SVG; empty: not written
};
int report_images(const ModelOptions& model, const std::vector<std::filesystem::path>& places,
                  const std::vector<io::ImageFormat>& formats, const std::vector<int>& qualities,
                  const ReportFiles& files);
void write_report(const Scaler& scaler, const ModelOptions& model_options,
                  const std::vector<std::filesystem::path>& places,
                  const std::vector<io::ImageFormat>& formats, const std::vector<int>& qualities,
                  const ReportFiles& files);
// Told before an hour's work: a file that cannot be written. An empty path is none.
void check_writable(const std::filesystem::path& file);

// roundtrip (roundtrip.cpp)
struct RoundTripOptions {
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path output;  // a folder
  std::vector<io::ImageFormat> formats = {io::ImageFormat::jpeg};
  std::vector<int> qualities = {75};
  ReportFiles report{};
};
int round_trips(const ModelOptions& model, const RoundTripOptions& options);

// evaluate (evaluate.cpp)
struct EvaluateFiles {
  std::vector<std::filesystem::path> places;
  std::filesystem::path json, markdown;  // empty: not written
  ReportFiles report{};
};
// The options of each model: those given, with each of the weights. Without any, once.
std::vector<ModelOptions> each_model(const ModelOptions& model,
                                     const std::vector<std::string>& weights);
int evaluate_models(const std::vector<ModelOptions>& models, const EvaluateOptions& options,
                    const EvaluateFiles& files);

// info (info.cpp)
int describe(const std::filesystem::path& path, const std::string& weights_key);

// weights (shipped.cpp)
int list_weights();

// export (export.cpp)
int export_weights(const std::filesystem::path& from, const std::filesystem::path& to,
                   bool raw_weights);

}  // namespace mini::infer
