#include "infer/bjontegaard.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace mini::infer {
namespace {

// A function through points in ascending order of x, cubic between each two.
class PiecewiseCubic {
 public:
  PiecewiseCubic(std::vector<double> x, std::vector<double> y)
      : x_(std::move(x)), y_(std::move(y)) {
    const std::size_t last = x_.size() - 1;
    slope_.resize(x_.size());
    for (std::size_t k = 1; k < last; ++k) slope_[k] = inner_slope(k);
    slope_[0] = end_slope(width(0), width(1), rise(0), rise(1));
    slope_[last] = end_slope(width(last - 1), width(last - 2), rise(last - 1), rise(last - 2));
  }

  double first() const { return x_.front(); }
  double last() const { return x_.back(); }

  double integral(double from, double to) const {
    double sum = 0;
    for (std::size_t k = 0; k + 1 < x_.size(); ++k) {
      const double low = std::max(from, x_[k]), high = std::min(to, x_[k + 1]);
      if (low < high) sum += primitive(k, high - x_[k]) - primitive(k, low - x_[k]);
    }
    return sum;
  }

 private:
  double width(std::size_t k) const { return x_[k + 1] - x_[k]; }
  double rise(std::size_t k) const { return (y_[k + 1] - y_[k]) / width(k); }

  // The harmonic mean of the slopes on both sides, weighted by how near they are; 0 at an extremum.
  double inner_slope(std::size_t k) const {
    const double before = rise(k - 1), after = rise(k);
    if (before * after <= 0) return 0;
    const double near_after = 2 * width(k) + width(k - 1),
                 near_before = width(k) + 2 * width(k - 1);
    return (near_after + near_before) / (near_after / before + near_before / after);
  }

  // That of the parabola through the three outer points, unless the curve would turn back.
  static double end_slope(double h0, double h1, double rise0, double rise1) {
    const double slope = ((2 * h0 + h1) * rise0 - h0 * rise1) / (h0 + h1);
    if (slope * rise0 <= 0) return 0;
    if (rise0 * rise1 <= 0 && std::abs(slope) > 3 * std::abs(rise0)) return 3 * rise0;
    return slope;
  }

  // The integral of the cubic of interval k from its beginning over a length t.
  double primitive(std::size_t k, double t) const {
    const double h = width(k);
    const double c = (3 * rise(k) - 2 * slope_[k] - slope_[k + 1]) / h;
    const double d = (slope_[k] + slope_[k + 1] - 2 * rise(k)) / (h * h);
    return t * (y_[k] + t * (slope_[k] / 2 + t * (c / 3 + t * d / 4)));
  }

  std::vector<double> x_, y_, slope_;
};

// The points by their bits; none where they make no curve.
std::optional<std::vector<RatePoint>> ordered(std::span<const RatePoint> points) {
  std::vector<RatePoint> curve(points.begin(), points.end());
  std::sort(curve.begin(), curve.end(),
            [](const RatePoint& a, const RatePoint& b) { return a.bits < b.bits; });
  bool rises = curve.size() >= least_curve_points;
  for (std::size_t k = 0; k < curve.size(); ++k)
    rises = rises && curve[k].bits > 0 && std::isfinite(curve[k].psnr) &&
            (k == 0 || (curve[k].bits > curve[k - 1].bits && curve[k].psnr > curve[k - 1].psnr));
  if (!rises) return std::nullopt;
  return curve;
}

PiecewiseCubic psnr_of_bits(const std::vector<RatePoint>& curve) {
  std::vector<double> x, y;
  for (const RatePoint& point : curve) {
    x.push_back(std::log10(point.bits));
    y.push_back(point.psnr);
  }
  return {x, y};
}

PiecewiseCubic bits_of_psnr(const std::vector<RatePoint>& curve) {
  std::vector<double> x, y;
  for (const RatePoint& point : curve) {
    x.push_back(point.psnr);
    y.push_back(std::log10(point.bits));
  }
  return {x, y};
}

// The mean of a - b over what both cover.
std::optional<double> mean_difference(const PiecewiseCubic& a, const PiecewiseCubic& b) {
  const double from = std::max(a.first(), b.first()), to = std::min(a.last(), b.last());
  if (from >= to) return std::nullopt;
  return (a.integral(from, to) - b.integral(from, to)) / (to - from);
}

}  // namespace

std::optional<double> bd_rate(std::span<const RatePoint> curve, std::span<const RatePoint> anchor) {
  const auto a = ordered(curve), b = ordered(anchor);
  if (!a || !b) return std::nullopt;
  const std::optional<double> mean = mean_difference(bits_of_psnr(*a), bits_of_psnr(*b));
  if (!mean) return std::nullopt;
  return 100 * (std::pow(10, *mean) - 1);
}

std::optional<double> bd_psnr(std::span<const RatePoint> curve, std::span<const RatePoint> anchor) {
  const auto a = ordered(curve), b = ordered(anchor);
  if (!a || !b) return std::nullopt;
  return mean_difference(psnr_of_bits(*a), psnr_of_bits(*b));
}

}  // namespace mini::infer
