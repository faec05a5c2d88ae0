// Module, its state dict, the layers and the initialisers.
#include "nn/module.h"

#include <cmath>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

struct Pair : nn::Module {
  nn::Linear first{3, 2}, second{2, 4};
  Tensor mean = Tensor::zeros({4});
  Pair() {
    register_module("first", first);
    register_module("second", second);
    register_buffer("mean", mean);
  }
};

std::vector<std::string> names(const std::vector<nn::NamedTensor>& tensors) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : tensors) result.push_back(name);
  return result;
}

TEST(Module, NamesItsTensorsLikePyTorch) {
  const Pair pair;
  EXPECT_EQ(
      names(pair.named_parameters()),
      (std::vector<std::string>{"first.weight", "first.bias", "second.weight", "second.bias"}));
  EXPECT_EQ(names(pair.named_buffers()), std::vector<std::string>{"mean"});
  EXPECT_EQ(pair.parameter_count(), 3 * 2 + 2 + 2 * 4 + 4);
  EXPECT_EQ(pair.state_dict().size(), 5u);
}

TEST(Module, LoadsStrictlyOrSaysWhatDiffers) {
  Pair pair;
  nn::StateDict state;
  for (const auto& [name, tensor] : pair.state_dict())
    state[name] = Tensor::full(tensor.shape(), 2, DType::float64);  // loading converts it
  EXPECT_TRUE(pair.load_state_dict(state).missing.empty());
  EXPECT_EQ(pair.second.bias.to_vector(), std::vector<double>(4, 2.0));

  state["first.bias"] = Tensor::zeros({7});
  state.erase("mean");
  state["other"] = Tensor::zeros({1});
  state["second.bias"] = Tensor::full({4}, 5);
  const std::string error = test::error_of([&] { pair.load_state_dict(state); });
  EXPECT_EQ(error,
            "load_state_dict: the weights are of another model: 1 missing (mean), 1 unexpected "
            "(other); first.bias has shape [7] in the file, this model's is [2]");
  EXPECT_EQ(pair.second.bias.to_vector(), std::vector<double>(4, 2.0)) << "nothing may change";

  state.erase("first.bias");
  const auto mismatch = pair.load_state_dict(state, false);
  EXPECT_EQ(mismatch.missing, (std::vector<std::string>{"first.bias", "mean"}));
  EXPECT_EQ(mismatch.unexpected, std::vector<std::string>{"other"});
  EXPECT_EQ(pair.second.bias.to_vector(), std::vector<double>(4, 5.0));
}

TEST(Module, ConvertsAndClears) {
  Pair pair;
  pair.to(DType::float64);
  for (const Tensor& parameter : pair.parameters()) {
    EXPECT_EQ(parameter.dtype(), DType::float64);
    EXPECT_TRUE(parameter.requires_grad());
  }
  const Tensor x = Tensor::ones({5, 3}, DType::float64);
  backward(sum(pair.second(pair.first(x))));
  EXPECT_EQ(pair.second.bias.grad().to_vector(), std::vector<double>(4, 5.0));
  pair.zero_grad();
  EXPECT_FALSE(pair.second.bias.grad().defined());
}

TEST(Layers, ComputeWhatTheyAreNamedFor) {
  nn::Conv2d conv(1, 1, 3, {.padding = {1, 1}});
  ops::fill(conv.weight.detach(), 1);
  ops::fill(conv.bias.detach(), 0.5);
  EXPECT_EQ(conv(Tensor::ones({1, 1, 2, 2})).to_vector(), std::vector<double>(4, 4.5));
}

TEST(Init, XavierNormalHasItsVariance) {
  Generator generator{3};
  const Tensor w = nn::xavier_normal({64, 32, 3, 3}, 0.1, generator);
  double square = 0;
  for (const double value : w.to_vector()) square += value * value;
  const double expected = 0.1 * std::sqrt(2.0 / ((64 + 32) * 9));
  EXPECT_NEAR(std::sqrt(square / static_cast<double>(w.numel())), expected, 0.02 * expected);
}

}  // namespace
}  // namespace mini
