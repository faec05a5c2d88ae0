#include "nn/init.h"

#include <cmath>

#include "ops/elementwise.h"

namespace mini::nn {

Tensor normal(const Shape& shape, double std, Generator& generator) {
  return ops::unary(Unary::affine, ops::normal(generator, shape), std);
}

Tensor xavier_normal(const Shape& shape, double gain, Generator& generator) {
  check(shape.rank() >= 2, "xavier_normal: needs a weight of two or more dimensions, got ", shape);
  const double receptive = double(shape.numel()) / double(shape[0] * shape[1]);
  const double fans = receptive * double(shape[0] + shape[1]);
  return normal(shape, gain * std::sqrt(2 / fans), generator);
}

}  // namespace mini::nn
