#include "infer/metrics.h"

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "io/image.h"
#include "tensor/parallel.h"
#include "tensor/view.h"

namespace mini::infer {
namespace {

constexpr std::int64_t window = 11;

// One channel in double.
struct Plane {
  std::int64_t height, width;
  std::vector<double> values;
  const double* row(std::int64_t y) const { return values.data() + y * width; }
};

// The image as one plane (Y) or three.
std::vector<Plane> planes_of(const Tensor& image, Colour colour, std::int64_t border) {
  const std::int64_t height = image.size(0) - 2 * border, width = image.size(1) - 2 * border;
  const Tensor inner =
      ops::contiguous(ops::narrow(ops::narrow(image, 0, border, height), 1, border, width));
  const std::uint8_t* const pixels = inner.data<std::uint8_t>();
  const auto make = [&](const auto& value) {
    Plane plane{height, width, std::vector<double>(static_cast<std::size_t>(height * width))};
    parallel_for(height * width, 65536, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        plane.values[static_cast<std::size_t>(i)] = value(pixels + 3 * i);
    });
    return plane;
  };
  std::vector<Plane> planes;
  if (colour == Colour::y) {
    planes.push_back(make([](const std::uint8_t* rgb) {
      return (65.481 * rgb[0] + 128.553 * rgb[1] + 24.966 * rgb[2]) / 255 + 16;
    }));
  } else {
    for (int c = 0; c < 3; ++c)
      planes.push_back(make([c](const std::uint8_t* rgb) { return static_cast<double>(rgb[c]); }));
  }
  return planes;
}

void check_images(const Tensor& a, const Tensor& b, std::int64_t border, std::int64_t least,
                  const char* op) {
  for (const Tensor* x : {&a, &b}) io::check_image(*x, op);
  check(a.shape() == b.shape(), op, ": images of different size, ", a.shape(), " and ", b.shape());
  check(border >= 0, op, ": the border must not be negative, got ", border);
  check(a.size(0) - 2 * border >= least && a.size(1) - 2 * border >= least, op, ": an image of ",
        a.size(1), "x", a.size(0), " is too small; at least ", least,
        " pixels a side must be left inside a border of ", border);
}

// Adds up value(row) over all rows, in a fixed order.
template <class Value>
double sum_rows(std::int64_t rows, const Value& value) {
  std::vector<double> partial(static_cast<std::size_t>(rows));
  parallel_for(rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t y = begin; y < end; ++y) partial[static_cast<std::size_t>(y)] = value(y);
  });
  return std::accumulate(partial.begin(), partial.end(), 0.0);
}

std::array<double, window> gaussian() {
  std::array<double, window> weights{};
  constexpr std::int64_t middle = window / 2;
  for (std::int64_t i = 0; i < window; ++i) {
    const double distance = static_cast<double>(i - middle) / 1.5;
    weights[static_cast<std::size_t>(i)] = std::exp(-distance * distance / 2);
  }
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  return weights;
}

// The windowed means that SSIM needs, of a, b, a²+b² and ab, for row y of the map: four rows of
// width - 10 values, one after the other. The window is separable: down the columns first, then
// along the row.
std::vector<double> window_means(const Plane& a, const Plane& b, std::int64_t y) {
  static const std::array<double, window> weights = gaussian();
  const std::int64_t width = a.width, inner = width - window + 1;
  std::vector<double> columns(static_cast<std::size_t>(4 * width));
  double* const mean_a = columns.data();
  double* const mean_b = mean_a + width;
  double* const squares = mean_b + width;
  double* const products = squares + width;
  for (std::int64_t k = 0; k < window; ++k) {
    const double w = weights[static_cast<std::size_t>(k)];
    const double *row_a = a.row(y + k), *row_b = b.row(y + k);
    for (std::int64_t x = 0; x < width; ++x) {
      mean_a[x] += w * row_a[x];
      mean_b[x] += w * row_b[x];
      squares[x] += w * (row_a[x] * row_a[x] + row_b[x] * row_b[x]);
      products[x] += w * (row_a[x] * row_b[x]);
    }
  }
  std::vector<double> means(static_cast<std::size_t>(4 * inner));
  for (std::int64_t q = 0; q < 4; ++q)
    for (std::int64_t k = 0; k < window; ++k) {
      const double w = weights[static_cast<std::size_t>(k)];
      const double* const from = columns.data() + q * width + k;
      double* const to = means.data() + q * inner;
      for (std::int64_t x = 0; x < inner; ++x) to[x] += w * from[x];
    }
  return means;
}

// The mean of the SSIM map of one channel.
double ssim(const Plane& a, const Plane& b) {
  constexpr double c1 = (0.01 * 255) * (0.01 * 255), c2 = (0.03 * 255) * (0.03 * 255);
  const std::int64_t inner = a.width - window + 1, rows = a.height - window + 1;
  const double sum = sum_rows(rows, [&](std::int64_t y) {
    const std::vector<double> means = window_means(a, b, y);
    const double *mean_a = means.data(), *mean_b = mean_a + inner;
    const double *squares = mean_b + inner, *products = squares + inner;
    double row = 0;
    for (std::int64_t x = 0; x < inner; ++x) {
      const double ab = mean_a[x] * mean_b[x];
      const double aabb = mean_a[x] * mean_a[x] + mean_b[x] * mean_b[x];
      const double covariance = products[x] - ab, variances = squares[x] - aabb;
      row += (2 * ab + c1) * (2 * covariance + c2) / ((aabb + c1) * (variances + c2));
    }
    return row;
  });
  return sum / static_cast<double>(inner * rows);
}

}  // namespace

double psnr(const Tensor& a, const Tensor& b, Colour colour, std::int64_t border) {
  check_images(a, b, border, 1, "psnr");
  const auto planes_a = planes_of(a, colour, border), planes_b = planes_of(b, colour, border);
  double squares = 0;
  std::size_t count = 0;
  for (std::size_t p = 0; p < planes_a.size(); ++p) {
    const Plane &x = planes_a[p], &y = planes_b[p];
    squares += sum_rows(x.height, [&](std::int64_t r) {
      double row = 0;
      for (std::int64_t i = 0; i < x.width; ++i) {
        const double d = x.row(r)[i] - y.row(r)[i];
        row += d * d;
      }
      return row;
    });
    count += x.values.size();
  }
  if (squares == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(count) / squares);
}

double ssim(const Tensor& a, const Tensor& b, Colour colour, std::int64_t border) {
  check_images(a, b, border, window, "ssim");
  const auto planes_a = planes_of(a, colour, border), planes_b = planes_of(b, colour, border);
  double sum = 0;
  for (std::size_t p = 0; p < planes_a.size(); ++p) sum += ssim(planes_a[p], planes_b[p]);
  return sum / static_cast<double>(planes_a.size());
}

}  // namespace mini::infer
