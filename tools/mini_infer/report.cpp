// report, and --report and --plot of other commands.
#include "infer/report.h"

#include <fmt/core.h>
#include <unistd.h>

#include "tools/mini_infer/commands.h"

namespace mini::infer {

void check_writable(const std::filesystem::path& file) {
  if (file.empty()) return;
  check(!file.has_parent_path() || std::filesystem::is_directory(file.parent_path()), file.string(),
        ": its folder does not exist");
  check(!std::filesystem::is_directory(file) && !file.filename().empty(), file.string(),
        ": is a folder, a file is needed");
}

void write_report(const Scaler& scaler, const ModelOptions& model_options,
                  const std::vector<std::filesystem::path>& places,
                  const std::vector<io::ImageFormat>& formats, const std::vector<int>& qualities,
                  const ReportFiles& files) {
  if (files.page.empty() && files.plot.empty()) return;
  const bool watched = isatty(STDERR_FILENO) != 0;
  const Report report = make_report(
      scaler, places,
      {.formats = formats, .qualities = qualities, .limits = read_options(model_options)},
      [&](std::size_t done, std::size_t total) {
        if (watched)
          fmt::print(stderr, "\rreport: {}/{} images{}", done, total, done == total ? "\n" : "");
      });
  const auto write = [](const std::filesystem::path& file, const std::string& text) {
    if (file.empty()) return;
    io::write_file_atomically(file, text);
    fmt::print("{}\n", printable(file.string()));
  };
  write(files.page, to_html(report));
  write(files.plot, to_svg(report));
}

int report_images(const ModelOptions& model_options,
                  const std::vector<std::filesystem::path>& places,
                  const std::vector<io::ImageFormat>& formats, const std::vector<int>& qualities,
                  const ReportFiles& files) {
  check_writable(files.page);
  check_writable(files.plot);
  write_report(*load_model(model_options).scaler, model_options, places, formats, qualities, files);
  return 0;
}

}  // namespace mini::infer
