#include "ops/mixture.h"

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {
namespace {

// Checks the operands and returns the shape of the sample.
Shape check_mixture(const Tensor& parameters, const Tensor& exponential, const Tensor& normal) {
  check(parameters.rank() == 2 && parameters.size(0) == 3 && parameters.size(1) >= 1,
        "sample_mixture: parameters must be [3,K], got ", parameters.shape());
  check(exponential.shape() == normal.shape() && normal.rank() >= 1 &&
            normal.size(-1) == parameters.size(1),
        "sample_mixture: noise must be two tensors [..,", parameters.size(1), "], got ",
        exponential.shape(), " and ", normal.shape());
  check(parameters.dtype() == exponential.dtype() && parameters.dtype() == normal.dtype(),
        "sample_mixture: dtypes ", parameters.dtype(), ", ", exponential.dtype(), " and ",
        normal.dtype(), " differ; cast them");
  check(parameters.device() == normal.device() && exponential.device() == normal.device(),
        "sample_mixture: parameters and noise are on ", parameters.device(), ", ",
        exponential.device(), " and ", normal.device());
  return Shape(std::span(normal.shape().begin(), static_cast<std::size_t>(normal.rank() - 1)));
}

}  // namespace

Tensor sample_mixture(const Tensor& parameters, const Tensor& exponential, const Tensor& normal) {
  const Shape shape = check_mixture(parameters, exponential, normal);
  Tensor z = Tensor::empty(shape, normal.dtype(), normal.device());
  MINI_DISPATCH(normal.device(), sample_mixture, contiguous(parameters), contiguous(exponential),
                contiguous(normal), z);
  return z;
}

Tensor sample_mixture_gradient(const Tensor& dz, const Tensor& parameters,
                               const Tensor& exponential, const Tensor& normal) {
  const Shape shape = check_mixture(parameters, exponential, normal);
  check(dz.shape() == shape, "sample_mixture: gradient has shape ", dz.shape(), ", expected ",
        shape);
  check(dz.device() == normal.device(), "sample_mixture: gradient and noise are on ", dz.device(),
        " and ", normal.device());
  Tensor gradient = Tensor::empty(parameters.shape(), normal.dtype(), normal.device());
  MINI_DISPATCH(normal.device(), sample_mixture_gradient, contiguous(dz), contiguous(parameters),
                contiguous(exponential), contiguous(normal), gradient);
  return gradient;
}

}  // namespace mini::ops
