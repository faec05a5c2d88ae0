#include "infer/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "infer/images.h"
#include "infer/metrics.h"
#include "infer/picture.h"
#include "infer/plot.h"
#include "infer/report_page.h"
#include "tensor/view.h"

namespace mini::infer {
namespace {

constexpr std::int64_t crop_side = 48;  // of the part that is shown enlarged
constexpr int error_gain = 8;

std::string base64(std::span<const std::byte> bytes) {
  constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group =
          group << 8 | (i + k < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

// The pixels as they are.
std::string data_uri(const Tensor& image) {
  return "data:image/webp;base64," +
         base64(io::encode(image, io::ImageFormat::webp, {.webp_method = 2, .lossless = true}));
}

Tensor part_of(const Tensor& image, std::int64_t y, std::int64_t x, std::int64_t height,
               std::int64_t width) {
  return ops::contiguous(ops::narrow(ops::narrow(image, 0, y, height), 1, x, width));
}

// The measures of what came back.
ReportEntry measured(const std::string& method, int quality, std::size_t bytes,
                     const Tensor& original, const Tensor& restored, std::int64_t border) {
  const auto pixels = static_cast<double>(original.size(0) * original.size(1));
  return {.method = method,
          .quality = quality,
          .bytes = bytes,
          .psnr_y = psnr(original, restored, Colour::y, border),
          .ssim_y = ssim(original, restored, Colour::y, border),
          .bits_per_hr_pixel = 8 * static_cast<double>(bytes) / pixels,
          .image = restored};
}

// The full-size picture in so many bytes; nothing where the codec needs more for it.
std::vector<ReportEntry> plain_codecs(const Tensor& original, std::size_t bytes,
                                      std::int64_t border) {
  std::vector<ReportEntry> entries;
  for (const io::ImageFormat format : {io::ImageFormat::jpeg, io::ImageFormat::webp}) {
    try {
      const io::FittedFile file =
          io::encode_to_size(original, format, static_cast<std::int64_t>(bytes));
      entries.push_back(measured(concat_text(io::name_of(format), " of full size"), file.quality,
                                 file.bytes.size(), original,
                                 io::decode(file.bytes, {.max_pixels = io::any_size}), border));
    } catch (const Error&) {  // quality 1 takes more bytes than that
    }
  }
  return entries;
}

ReportTrip make_trip(const std::vector<const Scaler*>& methods, const Tensor& original,
                     io::ImageFormat format, int quality) {
  ReportTrip trip{.setting = concat_text(io::name_of(format), ' ', quality)};
  const std::int64_t border = methods.front()->scale();
  std::size_t bytes = 0;
  for (const Scaler* method : methods) {
    const RoundTrip round = round_trip(*method, original, format, quality);
    if (method == methods.front()) {
      trip.small = round.decoded;
      bytes = round.file.size();
    }
    trip.entries.push_back(
        measured(method->name(), quality, round.file.size(), original, round.hr, border));
    trip.entries.back().bits_per_lr_pixel =
        8 * static_cast<double>(round.file.size()) /
        static_cast<double>(round.lr.size(0) * round.lr.size(1));
  }
  for (ReportEntry& entry : plain_codecs(original, bytes, border))
    trip.entries.push_back(std::move(entry));
  return trip;
}

// Keeps of the pictures what the page shows.
void keep_middle(ReportImage& image, std::int64_t side, std::int64_t scale) {
  image.original = crop_middle(image.original, side, scale);
  for (ReportTrip& trip : image.trips) {
    trip.small = crop_middle(trip.small, side / scale, 1);
    for (ReportEntry& entry : trip.entries) entry.image = crop_middle(entry.image, side, scale);
  }
}

// Where the crop lies: the square in which the first method of the first trip errs the most.
struct Place {
  std::int64_t y, x, height, width;
};
Place place_of_errors(const ReportImage& image) {
  const Tensor map = difference_map(image.original, image.trips.front().entries.front().image, 1);
  const std::int64_t height = std::min(crop_side, map.size(0)),
                     width = std::min(crop_side, map.size(1));
  Place best{0, 0, height, width};
  std::int64_t most = -1;
  for (std::int64_t y = 0; y + height <= map.size(0); y += 8)
    for (std::int64_t x = 0; x + width <= map.size(1); x += 8) {
      std::int64_t sum = 0;
      for (std::int64_t row = y; row < y + height; row += 2)
        for (std::int64_t column = x; column < x + width; column += 2)
          sum += map.data<std::uint8_t>()[3 * (row * map.size(1) + column)];
      if (sum > most) {
        most = sum;
        best.y = y;
        best.x = x;
      }
    }
  return best;
}

std::string fixed(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

nlohmann::json json_of(const ReportImage& image) {
  const Place place = place_of_errors(image);
  const auto crop = [&](const Tensor& whole) {
    return data_uri(part_of(whole, place.y, place.x, place.height, place.width));
  };
  nlohmann::json json{
      {"name", printable(image.name)},     {"size", concat_text(image.width, "×", image.height)},
      {"width", image.original.size(1)},   {"height", image.original.size(0)},
      {"image", data_uri(image.original)}, {"crop", crop(image.original)}};
  for (const ReportTrip& trip : image.trips) {
    nlohmann::json one{{"setting", trip.setting},
                       {"small", data_uri(trip.small)},
                       {"smallWidth", trip.small.size(1)}};
    for (const ReportEntry& entry : trip.entries)
      one["entries"].push_back(
          {{"method", entry.method},
           {"quality", entry.quality},
           {"bytes", entry.bytes},
           {"psnr", fixed(entry.psnr_y, 2)},
           {"ssim", fixed(entry.ssim_y, 4)},
           {"hrBpp", fixed(entry.bits_per_hr_pixel, 3)},
           {"lrBpp", entry.bits_per_lr_pixel > 0 ? fixed(entry.bits_per_lr_pixel, 3) : "–"},
           {"image", data_uri(entry.image)},
           {"crop", crop(entry.image)},
           {"error", data_uri(difference_map(image.original, entry.image, error_gain))}});
    json["trips"].push_back(std::move(one));
  }
  return json;
}

// Means over the images that have the method at that setting.
struct MeanRow {
  std::string setting, method;
  double count = 0, finite = 0, psnr = 0, ssim = 0, hr = 0, lr = 0;
};
std::vector<MeanRow> mean_rows(const Report& report) {
  std::vector<MeanRow> rows;
  for (const ReportImage& image : report.images)
    for (const ReportTrip& trip : image.trips)
      for (const ReportEntry& entry : trip.entries) {
        auto row = std::find_if(rows.begin(), rows.end(), [&](const MeanRow& one) {
          return one.setting == trip.setting && one.method == entry.method;
        });
        if (row == rows.end()) row = rows.insert(row, {trip.setting, entry.method});
        ++row->count;
        if (std::isfinite(entry.psnr_y)) {  // of equal images it is not
          ++row->finite;
          row->psnr += entry.psnr_y;
        }
        row->ssim += entry.ssim_y;
        row->hr += entry.bits_per_hr_pixel;
        row->lr += entry.bits_per_lr_pixel;
      }
  return rows;
}

std::string table_of(const Report& report) {
  std::string text =
      "<table><thead><tr><th>codec</th><th>method</th><th>PSNR-Y</th><th>SSIM-Y</th>"
      "<th>bits per HR pixel</th><th>bits per LR pixel</th><th>images</th></tr></thead><tbody>\n";
  for (const MeanRow& row : mean_rows(report))
    text += concat_text(
        "<tr><td>", escaped(row.setting), "</td><td>", escaped(row.method), "</td><td>",
        row.finite > 0 ? fixed(row.psnr / row.finite, 2) : "inf", "</td><td>",
        fixed(row.ssim / row.count, 4), "</td><td>", fixed(row.hr / row.count, 3), "</td><td>",
        row.lr > 0 ? fixed(row.lr / row.count, 3) : "–", "</td><td>", row.count, "</td></tr>\n");
  return text + "</tbody></table>\n";
}

}  // namespace

Report make_report(const Scaler& network, const std::vector<std::filesystem::path>& places,
                   const ReportOptions& options,
                   const std::function<void(std::size_t, std::size_t)>& progress) {
  const std::int64_t scale = network.scale();
  const auto bicubic = bicubic_scaler(scale);
  std::vector<const Scaler*> methods = {&network};
  if (network.name() != bicubic->name()) methods.push_back(bicubic.get());
  Report report{.title = concat_text(network.name(), " ×", scale,
                                     methods.size() > 1 ? " beside bicubic interpolation" : "")};
  const auto paths = find_images(places);
  for (const auto& path : paths) {
    ReportImage image{.name = path.filename().string(),
                      .original = io::read_image(path, options.limits)};
    image.width = image.original.size(1);
    image.height = image.original.size(0);
    check(std::min(image.width, image.height) >= 11 + 2 * scale, path.string(), ": ", image.width,
          "x", image.height, " pixels are too few for SSIM; at least ", 11 + 2 * scale, " a side");
    for (const io::ImageFormat format : options.formats)
      for (const int quality : options.qualities)
        image.trips.push_back(make_trip(methods, image.original, format, quality));
    keep_middle(image, options.side, scale);
    report.images.push_back(std::move(image));
    if (progress) progress(report.images.size(), paths.size());
  }
  return report;
}

std::string to_svg(const Report& report) {
  Plot plot{.title = "Quality over bits, means over the images",
            .x_label = "bits per HR pixel",
            .y_label = "PSNR-Y in dB"};
  for (const MeanRow& row : mean_rows(report)) {
    const std::string codec = row.setting.substr(0, row.setting.find(' '));
    const std::string name = row.lr > 0 ? concat_text(row.method, ", ", codec) : row.method;
    auto series = std::find_if(plot.series.begin(), plot.series.end(),
                               [&](const Series& one) { return one.name == name; });
    if (series == plot.series.end()) series = plot.series.insert(series, {name, {}});
    // A mean over some of the images lies on no curve.
    if (row.finite > 0 && row.finite == static_cast<double>(report.images.size()))
      series->points.emplace_back(row.hr / row.count, row.psnr / row.finite);
  }
  for (Series& one : plot.series) std::sort(one.points.begin(), one.points.end());
  return to_svg(plot);
}

std::string to_html(const Report& report) {
  nlohmann::json data = nlohmann::json::array();
  for (const ReportImage& image : report.images) data.push_back(json_of(image));
  std::string json = data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  // "<" would end the script element early.
  for (std::size_t at = 0; (at = json.find('<', at)) != std::string::npos;)
    json.replace(at, 1, "\\u003c");
  std::string page(report_page);
  const auto fill = [&](const std::string& mark, const std::string& text) {
    for (std::size_t at = page.find(mark); at != std::string::npos; at = page.find(mark, at)) {
      page.replace(at, mark.size(), text);
      at += text.size();
    }
  };
  fill("@title@", escaped(report.title));
  fill("@curves@", to_svg(report));
  fill("@table@", table_of(report));
  fill("@gain@", std::to_string(error_gain));
  fill("@data@", json);  // last: it may hold what looks like a mark
  return page;
}

}  // namespace mini::infer
