// What the tests of the upscalers share.
#pragma once

#include <string>
#include <vector>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "nn/key_table.h"
#include "tests/support/support.h"

namespace mini::test {

template <class Net, class Options>
std::int64_t parameter_count(const Options& options) {
  Generator generator{1};
  return Net(options, generator).parameter_count();
}

// It enlarges a small image by `scale`.
template <class Net, class Options>
void expect_scale(const Options& options, std::int64_t scale) {
  const NoGrad no_grad;
  Generator generator{1};
  const Tensor x = ops::uniform(generator, {2, 3, 8, 4});
  EXPECT_EQ(Net(options, generator)(x).shape(), (Shape{2, 3, 8 * scale, 4 * scale}));
}

// Every parameter takes part: none is forgotten between constructor and call.
template <class Net, class Options>
void expect_all_gradients(const Options& options, const Shape& input) {
  Generator generator{1};
  const Net net(options, generator);
  backward(sum(square(net(ops::uniform(generator, input)))));
  for (const auto& [name, tensor] : net.named_parameters())
    EXPECT_TRUE(tensor.grad().defined()) << name;
}

// `state` with every name as `spell` writes it.
template <class Spell>
nn::StateDict respelled(const nn::StateDict& state, const Spell& spell) {
  nn::StateDict result;
  for (const auto& [name, tensor] : state) result[spell(name)] = tensor;
  return result;
}

inline std::vector<std::string> names(const nn::StateDict& state) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : state) result.push_back(name);
  return result;
}

template <class Net, class Options>
void expect_basicsr_loads(const Options& options, const nn::KeyTable& table,
                          const std::string& ours, const std::string& theirs) {
  Generator generator{1};
  const Net from(options, generator);
  Net to(options, generator);
  EXPECT_EQ(table.to_theirs(ours), theirs);
  nn::StateDict file =
      respelled(from.state_dict(), [&](const std::string& name) { return table.to_theirs(name); });
  for (const char* mean : {"sub_mean", "add_mean"}) {
    file.erase(concat_text(mean, ".weight"));
    file.erase(concat_text(mean, ".bias"));
  }
  for (const auto& [name, tensor] : file) EXPECT_FALSE(from.state_dict().contains(name)) << name;
  to.load_state_dict(to.translate(file));
  for (const auto& [name, tensor] : from.state_dict())
    EXPECT_TRUE(equal_bits(to.state_dict().at(name), tensor)) << name;
  EXPECT_EQ(names(to.translate(from.state_dict())), names(from.state_dict()));
  const auto recognised = Net::recognise(file);
  ASSERT_TRUE(recognised.has_value());
  EXPECT_EQ(names(Net(*recognised, generator).state_dict()), names(from.state_dict()));
}

}  // namespace mini::test
