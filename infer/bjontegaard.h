// How two curves of PSNR over bits differ, in one number (G. Bjøntegaard, "Calculation of average PSNR
// differences between RD-curves", VCEG-M33, 2001):
//
//   BD-PSNR = mean over log r of PSNR(log r) - PSNR_anchor(log r)                          in dB
//   BD-rate = 10^(mean over PSNR of log10 r(PSNR) - log10 r_anchor(PSNR)) - 1              in percent
//
// each over what both curves cover. Between the measured points stand piecewise cubics that keep to their
// order (F. Fritsch, J. Butland, 1984), as in VCEG-AE07: one polynomial through all points, as in the first
// paper, swings between them. Read next: infer/evaluate.cpp, which prints them.
#pragma once

#include <optional>
#include <span>

namespace mini::infer {

struct RatePoint {
  double bits;  // of a file, per pixel
  double psnr;
};

// Bjøntegaard's four.
constexpr std::size_t least_curve_points = 4;

// Negative where `curve` needs fewer bits than `anchor` for the same PSNR. None where a curve has fewer than
// four points or a PSNR that does not grow with the bits, and where the two have nothing in common.
std::optional<double> bd_rate(std::span<const RatePoint> curve, std::span<const RatePoint> anchor);
// Positive where `curve` has more PSNR than `anchor` at the same bits.
std::optional<double> bd_psnr(std::span<const RatePoint> curve, std::span<const RatePoint> anchor);

}  // namespace mini::infer
