// Upscaler: a network that only makes images large. What makes them small for it is bicubic
// interpolation (Rescaler::downscale).
#pragma once

#include "models/rescaler.h"

namespace mini::models {

class Upscaler : public Rescaler {
 public:
  std::int64_t scale() const final { return scale_; }
  // lr [N,3,H,W] in [0,1] -> [N,3,scale·H,scale·W], not clamped.
  virtual Tensor operator()(const Tensor& lr) const = 0;
  Tensor upscale(const Tensor& lr, Generator* /*generator*/ = nullptr,
                 int /*quality*/ = lossless) const final {
    check(lr.rank() == 4 && lr.size(1) == 3, "upscale: needs an image [N,3,H,W], got ", lr.shape());
    return (*this)(lr);
  }

 protected:
  explicit Upscaler(std::int64_t scale) : scale_(scale) {}

 private:
  std::int64_t scale_;
};

}  // namespace mini::models
