// A group of a golden file: one network's output, loss and gradients for one input. The upscalers'
// files hold several each.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "autograd/functions.h"
#include "io/safetensors.h"
#include "nn/module.h"
#include "tests/support/golden.h"
#include "tests/support/support.h"

namespace mini::test {

// Tests of it, in float64 and in float32. Write TEST_P for a class derived from GoldenTest, and
//   INSTANTIATE_TEST_SUITE_P(Types, ..., test::golden_types(), test::golden_type_name);
class GoldenTest : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (!golden_folder()) GTEST_SKIP() << "no golden values (set MINI_GOLDEN)";
  }
};
inline auto golden_types() { return testing::Values(DType::float64, DType::float32); }
inline std::string golden_type_name(const testing::TestParamInfo<DType>& info) {
  return std::string(name_of(info.param));
}

class GoldenGroup {
 public:
  // The folder of golden values must be there.
  GoldenGroup(const std::string& file, const std::string& group, DType dtype);

  std::int64_t number(const std::string& key) const;  // of the metadata
  double real(const std::string& key) const;
  const std::string& text(const std::string& key) const { return file_.metadata.at(key); }
  std::uint64_t salt() const { return salt_; }
  const Tensor& expected(const std::string& key) const { return file_.tensors.at(key); }

  using Spelling = std::function<std::string(const std::string&)>;
  // Fills the parameters by the rule of the golden files, in float64, with the names as the file
  // spells them. Then converts and moves the network.
  void prepare(nn::Module& net, const Spelling& spelling = {}) const;

  // Gradients of parameters with `part` in their names may differ this much in float32.
  void tolerate32(const std::string& part, double tolerance) {
    delicate_ = part;
    delicate_tolerance_ = tolerance;
  }
  // Compares the output, the loss and all gradients with the file's. The input is NAME.x of the
  // file, for this group unless another is named.
  void check(nn::Module& net, const std::function<Tensor(const Tensor&)>& call,
             const Spelling& spelling = {}, const std::string& input_of = "") const;

 private:
  io::TensorFile file_;
  std::string group_;
  DType dtype_;
  std::uint64_t salt_ = 0;
  double gain_ = 1;
  std::string delicate_;
  double delicate_tolerance_ = 0;
};

// A network for images in [0,1], run on images in [0,range].
template <class Net>
auto in_range(const Net& net, double range) {
  return [&net, range](const Tensor& x) { return net(x / range) * range; };
}

// Sets sub_mean.bias and add_mean.bias of a float64 network to DIV2K's mean colour times ∓range, as
// exact as the official code has it. A module is made in float32.
void set_exact_means(nn::Module& net, double range);

}  // namespace mini::test
