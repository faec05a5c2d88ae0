// Blur: StyleGAN2's low-pass filter [1,3,3,1]⊗[1,3,3,1]/64, which keeps detail that a change of the
// sampling rate cannot represent from turning into patterns.
#pragma once

#include <vector>

#include "autograd/functions.h"
#include "nn/module.h"

namespace mini::models {

class Blur : public nn::Layer {
 public:
  // As many rows and columns of zeros at the left and top, and at the right and bottom.
  struct Margins {
    std::int64_t before, after;
  };
  // Zeros between the pixels halve the brightness per axis, so `gain` is 4 where they are put.
  explicit Blur(const Margins& margins, double gain = 1, std::int64_t up = 1, std::int64_t down = 1)
      : params_{up,
                down,
                {.left = margins.before,
                 .right = margins.after,
                 .top = margins.before,
                 .bottom = margins.after}} {
    const Tensor line = Tensor::from(std::vector<float>{1, 3, 3, 1}, {4, 1});
    register_buffer("kernel", kernel_ = matmul(line, transpose(line, 0, 1)) * (gain / 64));
  }
  Tensor operator()(const Tensor& x) const override { return upfirdn2d(x, kernel_, params_); }

 private:
  FirParams params_;
  Tensor kernel_;
};

// Twice the sides.
class Upsample : public Blur {
 public:
  Upsample() : Blur({2, 1}, 4, 2) {}
};

}  // namespace mini::models
