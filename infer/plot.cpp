#include "infer/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include "tensor/error.h"
#include "tensor/text.h"

namespace mini::infer {
namespace {

constexpr double width = 640, height = 400, left = 64, right = 16, top = 40, bottom = 96;

// Okabe and Ito's colours, which people with any colour vision tell apart.
constexpr std::array colours{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                             "#e69f00", "#56b4e9", "#888888", "#b8a500"};
constexpr std::array dashes{"", "6 3", "2 3", "8 3 2 3", "", "6 3", "2 3", "8 3 2 3"};

std::string number(double value, const char* format = "%.2f") {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

// The round numbers of an axis: 1, 2 or 5 times a power of ten apart.
struct Axis {
  double low = 0, high = 1, step = 1;
  Axis(double least, double most) {
    const double span = std::max(most - least, 1e-6 * std::max(1.0, std::abs(most)));
    const double power = std::pow(10.0, std::floor(std::log10(span / 4)));
    step = power;
    for (const double factor : {1.0, 2.0, 5.0, 10.0})
      if (span / (factor * power) <= 7) {
        step = factor * power;
        break;
      }
    low = std::floor(least / step) * step;
    high = std::ceil(most / step) * step;
    if (high <= low) high = low + step;
  }
  double share(double value) const { return (value - low) / (high - low); }
};

struct Extent {
  double least = std::numeric_limits<double>::infinity(), most = -least;
  void add(double value) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
};

bool is_drawn(const std::pair<double, double>& point) {
  return std::isfinite(point.first) && std::isfinite(point.second);
}

class Drawing {
 public:
  explicit Drawing(const Plot& plot) : plot_(plot) {
    for (const Series& one : plot.series)
      for (const auto& point : one.points)
        if (is_drawn(point)) {
          x_extent_.add(point.first);
          y_extent_.add(point.second);
        }
    check(plot.series.size() <= colours.size(), "plot: at most ", colours.size(), " curves");
    if (x_extent_.least > x_extent_.most) x_extent_ = y_extent_ = {0, 1};
    x_ = Axis(x_extent_.least, x_extent_.most);
    y_ = Axis(y_extent_.least, y_extent_.most);
  }

  std::string svg() {
    text_ = concat_text("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", width, ' ',
                        height, "\" role=\"img\" aria-label=\"", escaped(plot_.title),
                        "\" font-family=\"sans-serif\" font-size=\"13\">\n");
    text_ +=
        "<style>.ink{fill:#222}.grid{stroke:#bbb;stroke-width:.5}.frame{fill:none;stroke:#888}"
        "@media (prefers-color-scheme:dark){.ink{fill:#ddd}.grid{stroke:#555}}</style>\n";
    label(width / 2, 22, plot_.title, "middle", " font-size=\"15\"");
    axes();
    for (std::size_t i = 0; i < plot_.series.size(); ++i) draw(i);
    return text_ + "</svg>\n";
  }

 private:
  double x_of(double value) const { return left + x_.share(value) * (width - left - right); }
  double y_of(double value) const {
    return height - bottom - y_.share(value) * (height - top - bottom);
  }

  void label(double x, double y, const std::string& text, const char* anchor,
             const std::string& more = "") {
    text_ += concat_text("<text class=\"ink\" x=\"", number(x), "\" y=\"", number(y),
                         "\" text-anchor=\"", anchor, "\"", more, ">", escaped(text), "</text>\n");
  }
  void line(double x1, double y1, double x2, double y2, const std::string& attributes) {
    text_ += concat_text("<line x1=\"", number(x1), "\" y1=\"", number(y1), "\" x2=\"", number(x2),
                         "\" y2=\"", number(y2), "\" ", attributes, "/>\n");
  }

  void axes() {
    for (double x = x_.low; x <= x_.high + x_.step / 2; x += x_.step) {
      line(x_of(x), top, x_of(x), height - bottom, "class=\"grid\"");
      label(x_of(x), height - bottom + 18, number(x, "%.4g"), "middle");
    }
    for (double y = y_.low; y <= y_.high + y_.step / 2; y += y_.step) {
      line(left, y_of(y), width - right, y_of(y), "class=\"grid\"");
      label(left - 8, y_of(y) + 4, number(y, "%.4g"), "end");
    }
    label((left + width - right) / 2, height - bottom + 38, plot_.x_label, "middle");
    const double middle = (top + height - bottom) / 2;
    label(16, middle, plot_.y_label, "middle",
          concat_text(" transform=\"rotate(-90 16 ", number(middle), ")\""));
  }

  void mark(double x, double y, std::size_t i) {
    text_ += concat_text("<circle cx=\"", number(x), "\" cy=\"", number(y), "\" r=\"",
                         i % 2 == 0 ? 3.5 : 2.5, "\" fill=\"", colours[i], "\"/>\n");
  }

  // The curve, and its entry in the legend below, four in a row.
  void draw(std::size_t i) {
    const Series& one = plot_.series[i];
    const std::string stroke =
        concat_text("fill=\"none\" stroke=\"", colours[i],
                    "\" stroke-width=\"2\" stroke-dasharray=\"", dashes[i], "\"");
    std::string path;
    for (const auto& point : one.points)
      if (is_drawn(point))
        path += concat_text(path.empty() ? "M" : " L", number(x_of(point.first)), ' ',
                            number(y_of(point.second)));
    if (!path.empty()) text_ += concat_text("<path d=\"", path, "\" ", stroke, "/>\n");
    for (const auto& point : one.points)
      if (is_drawn(point)) mark(x_of(point.first), y_of(point.second), i);
    const std::size_t row = i / 4, column = i % 4;
    const double x = left + 142 * double(column), y = height - 36 + 20 * double(row);
    line(x, y - 4, x + 24, y - 4, stroke);
    mark(x + 12, y - 4, i);
    label(x + 30, y, one.name, "start");
  }

  const Plot& plot_;
  Extent x_extent_, y_extent_;
  Axis x_{0, 1}, y_{0, 1};
  std::string text_;
};

}  // namespace

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string to_svg(const Plot& plot) { return Drawing(plot).svg(); }

}  // namespace mini::infer
