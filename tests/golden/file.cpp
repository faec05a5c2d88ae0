#include "tests/golden/file.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "autograd/engine.h"
#include "ops/elementwise.h"
#include "tensor/view.h"

namespace mini::test {

GoldenFile::GoldenFile(const std::string& name, DType dtype)
    : file_(io::read_safetensors(*golden_folder() / (name + ".safetensors"))), dtype_(dtype) {
  if (file_.metadata.contains("salt")) salt_ = std::stoull(file_.metadata.at("salt"));
}

Tensor GoldenFile::leaf(const Tensor& values) const {
  Tensor result = on_device(ops::cast(values, dtype_));
  return result.set_requires_grad();
}

GoldenFile::Filling GoldenFile::usual(const std::string& name, const Tensor& tensor, double gain) {
  if (name.ends_with("running_var")) return {.scale = 0.5, .shift = 1};
  if (tensor.rank() < 2) return {.scale = 0.1};
  const double fan_in = static_cast<double>(tensor.numel()) / static_cast<double>(tensor.size(0));
  return {.scale = gain / std::sqrt(fan_in)};
}

void GoldenFile::fill(nn::Module& net, const Rule& rule) const {
  const NoGrad no_grad;
  net.to(DType::float64);
  for (const auto& [name, tensor] : net.state_dict()) {
    if (tensor.dtype() != DType::float64) continue;  // BatchNorm's count
    const Filling filling = rule ? rule(name, tensor) : usual(name, tensor);
    if (filling.keeps) continue;
    const Tensor hash =
        hash_uniform(filling.key.empty() ? name : filling.key, tensor.shape(), salt_);
    ops::copy(affine(filling.absolute ? abs(hash) : hash, filling.scale, filling.shift), tensor);
  }
  net.to(dtype_);
  net.to(device());
}

double GoldenFile::tolerance(const Tensor& reference) const {
  if (dtype_ != DType::float64) return tolerance32;
  return reference.dtype() == DType::float32 ? 1e-5 : 1e-8;
}

void GoldenFile::compare(const Tensor& values, const std::string& key) const {
  const Tensor& reference = expected(key);
  const Tensor shaped = values.rank() == 0 ? reshape(values, {1}) : values;
  ASSERT_EQ(shaped.shape(), reference.shape()) << key;
  EXPECT_LT(relative_error(ops::cast(shaped, DType::float64), reference), tolerance(reference))
      << key;
}

void GoldenFile::compare_means(const Tensor& x, const std::string& key) const {
  constexpr std::array<int, 2> sides{2, 3};
  compare(mean(x.detach(), sides), key);
}

void GoldenFile::compare_stat(const Tensor& x, const std::string& key,
                              const std::string& probe_name) const {
  ASSERT_TRUE(x.defined()) << key;
  const auto reference = expected(key).to_vector();
  const auto [norm, projection] = probe(x, probe_name, salt_);
  const double off = std::max(std::abs(norm - reference[0]), std::abs(projection - reference[1]));
  EXPECT_LE(off, tolerance(expected(key)) * std::max(reference[0], vanishing))
      << key << ", norm " << reference[0];
}

void GoldenFile::compare_gradients(const nn::Module& net, const std::string& prefix, bool all,
                                   const std::string& probe_prefix) const {
  std::set<std::string> stats;
  for (const auto& [key, tensor] : file_.tensors)
    if (key.starts_with(prefix)) stats.insert(key);
  EXPECT_FALSE(stats.empty()) << prefix;
  for (const auto& [name, parameter] : net.named_parameters())
    if (stats.erase(prefix + name) > 0)
      compare_stat(parameter.grad(), prefix + name, probe_prefix + name);
    else
      EXPECT_FALSE(all) << name << " is not in the file";
  EXPECT_TRUE(stats.empty()) << "of a parameter that the network lacks: " << *stats.begin();
}

}  // namespace mini::test
