// Curves as a drawing (SVG), for a page or a file of their own; light or dark as the reader's screen is.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mini::infer {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points{};  // those that are not finite are left out
};
struct Plot {
  std::string title, x_label, y_label;
  std::vector<Series> series{};
};

// At most eight series; each has its own colour, dash and mark, so that they differ without colours.
std::string to_svg(const Plot& plot);

// A text within HTML or SVG.
std::string escaped(const std::string& text);

}  // namespace mini::infer
