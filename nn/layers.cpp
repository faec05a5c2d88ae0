#include "nn/layers.h"

#include "autograd/functions.h"

namespace mini::nn {

Conv2d::Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, Conv2dParams params)
    : weight(Tensor::zeros({out, in / params.groups, kernel, kernel})),
      bias(Tensor::zeros({out})),
      params_(params) {
  register_parameter("weight", weight);
  register_parameter("bias", bias);
}

Tensor Conv2d::operator()(const Tensor& x) const { return conv2d(x, weight, bias, params_); }

Linear::Linear(std::int64_t in, std::int64_t out)
    : weight(Tensor::zeros({out, in})), bias(Tensor::zeros({out})) {
  register_parameter("weight", weight);
  register_parameter("bias", bias);
}

Tensor Linear::operator()(const Tensor& x) const { return linear(x, weight, bias); }

}  // namespace mini::nn
