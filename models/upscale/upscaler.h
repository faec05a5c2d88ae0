// Upscaler: a network that only makes images large. What makes them small for it is bicubic
// interpolation (Rescaler::downscale).
#pragma once

#include "models/rescaler.h"
#include "nn/rows.h"

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
  std::unique_ptr<RowStream> stream(Rescaling way, const Shape& input, DType dtype,
                                    const Generator* generator = nullptr,
                                    int quality = lossless) const override;

 protected:
  // The same for an LR of the shape `lr` that comes row by row. Null: needs the whole image.
  virtual nn::RowLayers rows(const Shape& /*lr*/, DType /*dtype*/) const { return nullptr; }

  explicit Upscaler(std::int64_t scale) : scale_(scale) {}

 private:
  std::int64_t scale_;
};

}  // namespace mini::models
