// Where in a file the weights are: wrappings, prefixes, and a key given by hand.
#include "infer/weights.h"

#include "io/safetensors.h"
#include "nn/layers.h"
#include "tests/support/support.h"

namespace mini::infer {
namespace {
namespace fs = std::filesystem;

// Two tensors that a network of two would have, below `key`.
nn::StateDict below(const std::string& key, double value = 1) {
  const std::string prefix = key.empty() ? key : key + ".";
  return {{prefix + "a", Tensor::full({1}, value)}, {prefix + "b.c", Tensor::full({1}, value)}};
}

nn::StateDict together(std::initializer_list<nn::StateDict> states) {
  nn::StateDict all;
  for (const nn::StateDict& state : states) all.insert(state.begin(), state.end());
  return all;
}

bool fits(const nn::StateDict& state) {
  return state.size() == 2 && state.contains("a") && state.contains("b.c");
}

FoundWeights find(const nn::StateDict& all, const std::string& key = "") {
  return find_weights(all, key, fits, "x.pth");
}

TEST(FindWeights, BelowWrappingsAndPrefixes) {
  EXPECT_EQ(find(below("")).key, "");
  EXPECT_EQ(find(below("")).note(), "");
  for (const char* key :
       {"params", "params_ema", "state_dict", "model", "model_state_dict", "netG", "ema", "module",
        "_orig_mod", "net", "generator", "model.module", "_orig_mod.module", "state_dict.net",
        "params.module._orig_mod", "model_ema.module.generator.net"}) {
    const FoundWeights found = find(together({below(key), {{"optimizer.0.a", Tensor::ones({3})}}}));
    EXPECT_EQ(found.key, key);
    EXPECT_TRUE(fits(found.state)) << key;
    EXPECT_EQ(found.note(), concat_text("weights below \"", key, "\""));
  }
}

// A network may itself call a part "model" or "net".
TEST(FindWeights, NoMoreIsTakenAwayThanNeeded) {
  nn::StateDict state{{"net.a", Tensor::ones({1})}, {"net.b", Tensor::ones({1})}};
  const auto has_net = [](const nn::StateDict& found) { return found.contains("net.a"); };
  EXPECT_EQ(find_weights(state, "", has_net, "x").key, "");
  state = {{"net.net.a", Tensor::ones({1})}};
  EXPECT_EQ(find_weights(state, "", has_net, "x").key, "net");
}

TEST(FindWeights, AveragedOnesComeFirstAndTheOthersAreSaid) {
  const nn::StateDict all =
      together({below("params", 1), below("params_ema", 2), below("netG", 3)});
  const FoundWeights found = find(all);
  EXPECT_EQ(found.state.at("a").item(), 2);
  EXPECT_EQ(found.note(),
            "weights below \"params_ema\" (also there: \"params\", \"netG\"; choose with "
            "--weights-key)");
  EXPECT_EQ(find(all, "params").state.at("a").item(), 1);
  EXPECT_EQ(
      find(together({below("net.module", 1), below("x.module", 2)}), "x").state.at("a").item(), 2)
      << "below a key that is not usual, too";
}

TEST(FindWeights, WhatFitsNothingIsGivenWhole) {
  const nn::StateDict other{{"model.layer", Tensor::ones({1})}};
  EXPECT_TRUE(find(other).state.contains("model.layer"));
  EXPECT_EQ(find(other).note(), "");
  EXPECT_TRUE(find(other, "model").state.contains("layer"));
  EXPECT_EQ(test::error_of([&] { find(below("params"), "ema"); }),
            "x.pth: there is nothing below --weights-key ema; there are: params");
}

TEST(LoadWeights, TakesThoseOfTheSameNames) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "w";
  nn::Conv2d layer(2, 3, 3);
  nn::StateDict wrapped;
  for (const auto& [name, tensor] : layer.state_dict()) {
    wrapped.emplace("params.module." + name, Tensor::full(tensor.shape(), 0.5));
    wrapped.emplace("params_ema.module." + name, Tensor::full(tensor.shape(), 0.25));
  }
  io::write_safetensors(path, {wrapped, {}});
  EXPECT_EQ(load_weights(layer, path), path.string() +
                                           ": weights below \"params_ema.module\" (also there: "
                                           "\"params.module\"; choose with --weights-key)");
  EXPECT_EQ(layer.state_dict().begin()->second.to_vector().front(), 0.25);
  EXPECT_EQ(load_weights(layer, path, "params"),
            path.string() + ": weights below \"params.module\"");
  EXPECT_EQ(layer.state_dict().begin()->second.to_vector().front(), 0.5);
}

}  // namespace
}  // namespace mini::infer
