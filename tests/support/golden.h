// Golden values. A hash defines weights and inputs, so golden files hold results only.
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

// Fills a weight of the golden files: a tensor of two or more dimensions is gain·hash/sqrt(fan-in),
// any other 0.1·hash, where `key` is hashed.
void fill_golden(const std::string& key, const Tensor& tensor, std::uint64_t salt, double gain);
// All of a module by this rule, with the names of its state dict; Haar filters keep their values.
void set_golden_weights(nn::Module& module, std::uint64_t salt = 0, double gain = 1);

// [L2 norm, Σ tensor · hash_uniform("probe." + name)], as in `grad_stat.*` and `param_stats`.
std::pair<double, double> probe(const Tensor& tensor, const std::string& name,
                                std::uint64_t salt = 0);

// Σ x · hash_uniform(key): the loss whose gradients are in the golden files.
Tensor probe_loss(const Tensor& x, const std::string& key, std::uint64_t salt = 0);

}  // namespace mini::test
