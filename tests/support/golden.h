// Golden values: weights and inputs are defined by a hash, so that files hold results only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "autograd/node.h"
#include "nn/module.h"

namespace mini::test {

// float64 in [-1, 1): element i is 2·(splitmix64(fnv1a64(key) + salt + i) >> 40)·2⁻²⁴ - 1.
Tensor hash_uniform(std::string_view key, const Shape& shape, std::uint64_t salt = 0);

// The golden files' rule for weights: by state-dict key, gain·hash/sqrt(fan-in) for tensors of two
// or more dimensions, 0.1·hash for others; Haar filters keep their values.
void set_golden_weights(nn::Module& module, std::uint64_t salt = 0, double gain = 1);

// [L2 norm, Σ tensor · hash_uniform("probe." + name)], as in `grad_stat.*` and `param_stats`.
std::pair<double, double> probe(const Tensor& tensor, const std::string& name,
                                std::uint64_t salt = 0);

// Σ x · hash_uniform(key): the scalar that golden gradients are of.
Tensor probe_loss(const Tensor& x, const std::string& key, std::uint64_t salt = 0);

}  // namespace mini::test
