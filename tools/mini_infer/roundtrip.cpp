#include <fmt/core.h>

#include "infer/metrics.h"
#include "infer/picture.h"
#include "tools/mini_infer/commands.h"
#include "tools/mini_infer/run_jobs.h"

namespace mini::infer {
namespace fs = std::filesystem;
namespace {

constexpr int gain = 8;  // of the difference map

const char* extension_of(io::ImageFormat format) {
  switch (format) {
    case io::ImageFormat::jpeg:
      return ".jpg";
    case io::ImageFormat::webp:
      return ".webp";
    case io::ImageFormat::png:
      return ".png";
  }
  return "";
}

void print_line(const std::string& image, const std::string& codec, const Scaler& scaler,
                const Tensor& original, const RoundTrip& trip) {
  const std::int64_t border = scaler.scale();
  // SSIM has a window of 11 pixels.
  const bool large = std::min(original.size(0), original.size(1)) >= 11 + 2 * border;
  const auto text = [&](const auto& metric, int digits) {
    return large ? fmt::format("{:.{}f}", metric(original, trip.hr, Colour::y, border), digits)
                 : std::string("-");
  };
  const auto pixels = static_cast<double>(trip.lr.size(0) * trip.lr.size(1));
  fmt::print("{:<24} {:<8} {:<8} {:>7} {:>7} {:>9} {:>6.3f}\n", printable(image), codec,
             scaler.name(), text(psnr, 3), text(ssim, 4), trip.file.size(),
             8 * static_cast<double>(trip.file.size()) / pixels);
}

// One image through one codec by every method; `stem` begins the names of the files.
void round_trip_one(const std::vector<const Scaler*>& methods, const Job& job,
                    const Tensor& original, io::ImageFormat format, int quality) {
  const std::string codec = fmt::format("{}{}", io::name_of(format), quality);
  const std::string stem = fs::path(job.output).replace_extension().string() + "_" + codec;
  std::vector<Tensor> pictures = {original}, differences;
  RoundTrip last;
  for (const Scaler* method : methods) {
    last = round_trip(*method, original, format, quality);
    print_line(job.input.filename().string(), codec, *method, original, last);
    pictures.push_back(last.hr);
    differences.push_back(difference_map(original, last.hr, gain));
  }
  io::write_file_atomically(stem + "_lr" + extension_of(format), last.file);
  io::write_image(stem + "_restored.png", last.hr);
  io::write_image(stem + "_compare.png", side_by_side(pictures));
  io::write_image(stem + "_difference.png", side_by_side(differences));
}

}  // namespace

int round_trips(const ModelOptions& model_options, const RoundTripOptions& options) {
  check_writable(options.report.page);
  check_writable(options.report.plot);
  const auto jobs = plan_folder_jobs(options.inputs, options.output, {.extension = ".png"});
  if (jobs.size() == 1)
    io::read_image(jobs.front().input,
                   read_options(model_options));  // a wrong name is told at once
  const Model model = load_model(model_options);
  const auto bicubic = bicubic_scaler(model.scaler->scale());
  std::vector<const Scaler*> methods = {bicubic.get()};
  if (model.network != nullptr) methods.push_back(model.scaler.get());
  fmt::print("{:<24} {:<8} {:<8} {:>7} {:>7} {:>9} {:>6}\n", "image", "codec", "method", "PSNR-Y",
             "SSIM-Y", "LR bytes", "bpp");
  const auto work = [&](const Job& job, const Input& input) -> Output {
    for (const io::ImageFormat format : options.formats)
      for (const int quality : options.qualities)
        round_trip_one(methods, job, input.image, format, quality);
    return {.write = [] { return std::string(); }};
  };
  const int code =
      run_jobs(jobs, model_options,
               {.read = [](const Job& job,
                           const ModelOptions& limits) { return read_input(job.input, limits); },
                .work = work});
  if (code == 0)
    write_report(*model.scaler, model_options, options.inputs, options.formats, options.qualities,
                 options.report);
  return code;
}

}  // namespace mini::infer
