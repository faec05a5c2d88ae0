// A golden file of one network, for tests in float64 and in float32 (GoldenTest in group.h).
#pragma once

#include <functional>
#include <string>

#include "io/safetensors.h"
#include "nn/module.h"
#include "tests/golden/group.h"

namespace mini::test {

class GoldenFile {
 public:
  GoldenFile(const std::string& name, DType dtype);

  const io::TensorFile& content() const { return file_; }
  const Tensor& expected(const std::string& key) const { return file_.tensors.at(key); }
  std::uint64_t salt() const { return salt_; }

  // Leaves of the test's dtype and on its device: a stored tensor, and one made by the hash.
  Tensor stored(const std::string& key) const { return leaf(expected(key)); }
  Tensor hashed(const std::string& key, const Shape& shape) const {
    return leaf(hash_uniform(key, shape, salt_));
  }
  Tensor leaf(const Tensor& values) const;

  // What a parameter or buffer holds: scale·hash + shift, or what it held before.
  struct Filling {
    double scale = 1, shift = 0;
    bool keeps = false, absolute = false;
    std::string key = {};  // that is hashed, if another than the name
  };
  using Rule = std::function<Filling(const std::string& name, const Tensor& tensor)>;
  // gain·hash/sqrt(fan-in) where there are two or more dimensions, else 0.1·hash; a running variance
  // is 1 + 0.5·hash.
  static Filling usual(const std::string& name, const Tensor& tensor, double gain = 1);
  // Fills the module in float64, with names as they are or by `rule`, then converts and moves it.
  void fill(nn::Module& net, const Rule& rule = {}) const;

  // Compares values with those of the file, relative to the largest.
  void compare(const Tensor& values, const std::string& key) const;
  // As many spatial means as the file has: [N,C] of x [N,C,H,W].
  void compare_means(const Tensor& x, const std::string& key) const;
  // Compares [L2 norm, Σ x·hash(probe)], relative to the norm.
  void compare_stat(const Tensor& x, const std::string& key, const std::string& probe_name) const;
  // The same for the gradient of every parameter, with keys `prefix` + name. Each key of the file
  // with this prefix must be of a parameter; `all` says that each parameter has one.
  void compare_gradients(const nn::Module& net, const std::string& prefix, bool all = true,
                         const std::string& probe_prefix = "") const;

  // In float32 a few of many activations fall on the other side of a kink of LeakyReLU or PReLU, which
  // changes the gradients of deep networks by more than rounding errors do. Those are compared in
  // float64 alone.
  bool compares_gradients() const { return dtype_ == DType::float64; }

  // The largest relative error in float32; in float64 it is 1e-8, and 1e-5 where the file stores
  // float32.
  double tolerance32 = 1e-4;
  // Gradients of a smaller norm are 0 but for rounding errors: those of biases before BatchNorm.
  double vanishing = 0;

 private:
  double tolerance(const Tensor& reference) const;

  io::TensorFile file_;
  DType dtype_;
  std::uint64_t salt_ = 0;
};

}  // namespace mini::test
