// A page that shows what a method does to photographs: one HTML file that needs nothing else.
//
// For each image, codec and quality: what the network and bicubic interpolation make of it, and what JPEG and
// WebP make of the full-size picture within as many bytes as the network's small file has.
// Read next: infer/report_page.h, the page around the numbers; infer/plot.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "infer/scaler.h"

namespace mini::infer {

struct ReportOptions {
  std::vector<io::ImageFormat> formats = {io::ImageFormat::jpeg};
  std::vector<int> qualities = {30, 60, 90};
  std::int64_t side =
      480;  // pixels: of larger images the page shows the middle; numbers are of the whole
  io::ReadOptions limits{};
};

// One method at one setting, on one image.
struct ReportEntry {
  std::string method;
  int quality = 0;  // of the codec
  std::size_t bytes = 0;
  double psnr_y = 0, ssim_y = 0;
  double bits_per_hr_pixel = 0;
  double bits_per_lr_pixel = 0;  // 0: it has no small image
  Tensor image{};                // what comes back, the part that is shown
};
struct ReportTrip {
  std::string setting;  // "jpeg 30"
  Tensor small{};       // the small image as the codec gives it back
  std::vector<ReportEntry> entries{};
};
struct ReportImage {
  std::string name;
  std::int64_t width = 0, height = 0;
  Tensor original{};  // the part that is shown
  std::vector<ReportTrip> trips{};
};
struct Report {
  std::string title;  // "sain x2 beside bicubic interpolation"
  std::vector<ReportImage> images{};
};

// Images smaller than SSIM's window are an Error. `progress` as for evaluate().
Report make_report(const Scaler& network, const std::vector<std::filesystem::path>& places,
                   const ReportOptions& options,
                   const std::function<void(std::size_t, std::size_t)>& progress = {});

// The curves of the means over the images: PSNR-Y over bits per HR pixel.
std::string to_svg(const Report& report);
std::string to_html(const Report& report);

}  // namespace mini::infer
