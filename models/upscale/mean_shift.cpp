#include "models/upscale/mean_shift.h"

#include <array>

#include "autograd/functions.h"

namespace mini::models {

MeanShift::MeanShift(double factor)
    : weight_(Tensor::zeros({3, 3, 1, 1})), bias_(Tensor::empty({3})) {
  constexpr std::array<double, 3> div2k{0.4488, 0.4371, 0.4040};
  for (std::size_t c = 0; c < 3; ++c) {
    weight_.data<float>()[4 * c] = 1;
    bias_.data<float>()[c] = static_cast<float>(factor * div2k[c]);
  }
  register_buffer("weight", weight_);
  register_buffer("bias", bias_);
}

Tensor MeanShift::operator()(const Tensor& x) const { return conv2d(x, weight_, bias_); }

}  // namespace mini::models
