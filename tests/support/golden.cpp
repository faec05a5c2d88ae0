#include "tests/support/golden.h"

#include <cmath>

#include "autograd/functions.h"
#include "tensor/view.h"

namespace mini::test {
namespace {

std::uint64_t fnv1a64(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

std::uint64_t splitmix64(std::uint64_t x) {
  std::uint64_t z = x + 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

}  // namespace

Tensor hash_uniform(std::string_view key, const Shape& shape, std::uint64_t salt) {
  Tensor result = Tensor::empty(shape, DType::float64);
  const std::uint64_t start = fnv1a64(key) + salt;
  double* const values = result.data<double>();
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    const std::uint64_t bits = splitmix64(start + static_cast<std::uint64_t>(i)) >> 40;
    values[i] = 2 * static_cast<double>(bits) * 0x1p-24 - 1;
  }
  return result;
}

void fill_golden(const std::string& key, const Tensor& tensor, std::uint64_t salt, double gain) {
  const double fan_in = tensor.rank() < 2 ? 1 : double(tensor.numel()) / double(tensor.size(0));
  const double scale = tensor.rank() < 2 ? 0.1 : gain / std::sqrt(fan_in);
  ops::copy(hash_uniform(key, tensor.shape(), salt) * scale, tensor);
}

void set_golden_weights(nn::Module& module, std::uint64_t salt, double gain) {
  const NoGrad no_grad;
  for (const auto& [name, tensor] : module.state_dict())
    if (!name.ends_with("haar_weights")) fill_golden(name, tensor, salt, gain);
}

std::pair<double, double> probe(const Tensor& tensor, const std::string& name, std::uint64_t salt) {
  const auto values = tensor.to_vector();
  const auto weights = hash_uniform("probe." + name, tensor.shape(), salt).to_vector();
  double square = 0, sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    square += values[i] * values[i];
    sum += values[i] * weights[i];
  }
  return {std::sqrt(square), sum};
}

Tensor probe_loss(const Tensor& x, const std::string& key, std::uint64_t salt) {
  const Tensor weights = ops::cast(hash_uniform(key, x.shape(), salt), x.dtype());
  return sum(x * ops::to_device(weights, x.device()));
}

}  // namespace mini::test
