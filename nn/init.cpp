#include "nn/init.h"

#include <cmath>
#include <numeric>
#include <string>

#include "ops/elementwise.h"
#include "tensor/view.h"

namespace mini::nn {
namespace {

double fan_in(const Shape& weight) {
  return static_cast<double>(weight.numel()) / static_cast<double>(weight[0]);
}

}  // namespace

Tensor uniform(const Shape& shape, double bound, Generator& generator) {
  return ops::unary(Unary::affine, ops::uniform(generator, shape), 2 * bound, -bound);
}

Tensor normal(const Shape& shape, double std, Generator& generator) {
  return ops::unary(Unary::affine, ops::normal(generator, shape), std);
}

Tensor xavier_normal(const Shape& shape, double gain, Generator& generator) {
  check(shape.rank() >= 2, "xavier_normal: needs a weight of two or more dimensions, got ", shape);
  const double receptive = double(shape.numel()) / double(shape[0] * shape[1]);
  const double fans = receptive * double(shape[0] + shape[1]);
  return normal(shape, gain * std::sqrt(2 / fans), generator);
}

Tensor kaiming_normal(const Shape& shape, double gain, Generator& generator) {
  check(shape.rank() >= 2, "kaiming_normal: needs a weight of two or more dimensions, got ", shape);
  return normal(shape, gain * std::sqrt(2 / fan_in(shape)), generator);
}

Tensor orthogonal(std::int64_t size, Generator& generator) {
  Tensor result = ops::cast(ops::normal(generator, {size, size}), DType::float64);
  double* const rows = result.data<double>();
  for (std::int64_t i = 0; i < size;
       ++i) {  // Gram-Schmidt: each row loses its part along the others
    double* const row = rows + i * size;
    for (std::int64_t k = 0; k < i; ++k) {
      const double along = std::inner_product(row, row + size, rows + k * size, 0.0);
      for (std::int64_t j = 0; j < size; ++j) row[j] -= along * rows[k * size + j];
    }
    const double length = std::sqrt(std::inner_product(row, row + size, row, 0.0));
    for (std::int64_t j = 0; j < size; ++j) row[j] /= length;
  }
  return ops::cast(result, DType::float32);
}

void initialise_as_pytorch(Module& module, Generator& generator) {
  std::string beside;  // the name of the bias beside the last weight
  double bound = 0;
  for (const auto& [name, tensor] : module.named_parameters()) {
    const std::string_view last = std::string_view(name).substr(name.rfind('.') + 1);
    if (last == "weight" && tensor.rank() >= 2) {
      bound = 1 / std::sqrt(fan_in(tensor.shape()));
      beside = name.substr(0, name.size() - last.size()) + "bias";
    } else if (name != beside) {
      continue;
    }
    ops::copy(uniform(tensor.shape(), bound, generator), tensor);
  }
}

}  // namespace mini::nn
