#include "models/grain/fea2code.h"

#include <algorithm>

#include "autograd/functions.h"
#include "nn/init.h"

namespace mini::models {
namespace {

constexpr std::int64_t least_side = 16;

// Halves the sides.
void append_halving(nn::Sequential& layers, std::int64_t in, std::int64_t out) {
  layers.append<nn::Conv2d>(in, out, 3, Conv2dParams{.stride = {2, 2}, .padding = {1, 1}});
  layers.append<nn::LeakyRelu>(0.2);
}

// 16×16 to 1×1
void append_head(nn::Sequential& layers, std::int64_t features, std::int64_t code) {
  append_halving(layers, features, features);
  append_halving(layers, features, 2 * features);
  append_halving(layers, 2 * features, 4 * features);
  append_halving(layers, 4 * features, code);
}

// Block i reads features of side 16 for the lowest three blocks, then 32, 64, ...
std::int64_t side_of(std::int64_t block) {
  return std::max(least_side, std::int64_t{1} << (block + 2));
}

}  // namespace

GradualStyleBlock::GradualStyleBlock(std::int64_t side, const GrainOptions& options,
                                     Generator& generator)
    : linear1_(options.code, options.code), linear2_(options.code, options.code) {
  const std::int64_t features = options.features;
  if (side > least_side) {
    append_halving(first_.emplace(), features, features);
    register_module("conv_first", *first_);
  }
  for (std::int64_t rest = side / 2; rest > least_side; rest /= 2)
    append_halving(convs_, features, features);
  append_head(convs1_, features, options.code);
  append_head(convs2_, features, options.code);
  register_module("convs", convs_);
  register_module("convs1", convs1_);
  register_module("convs2", convs2_);
  register_module("linear1", linear1_);
  register_module("linear2", linear2_);
  nn::initialise_as_pytorch(*this, generator);
}

GradualStyleBlock::Result GradualStyleBlock::operator()(const Tensor& x) const {
  Result result;
  Tensor y = x;
  if (first_) y = result.fea = (*first_)(x);
  y = convs_(y);
  const auto flat = [](const Tensor& t) { return reshape(t, {t.size(0), -1}); };
  result.first = linear1_(flat(convs1_(y)));
  result.second = linear2_(flat(convs2_(y)));
  return result;
}

Fea2Code::Fea2Code(const GrainOptions& options, Generator& generator) : options_(options) {
  options.validate();
  const std::int64_t blocks = options.stylegan2().codes() / 2;
  for (std::int64_t i = 0; i < blocks; ++i) {
    styles_.push_back(std::make_unique<GradualStyleBlock>(side_of(i), options, generator));
    register_module(concat_text("encoder.styles.", i), *styles_.back());
  }
}

Tensor Fea2Code::operator()(const std::vector<Tensor>& decoder_features) const {
  const auto feature_of_side = [&](std::int64_t side) -> const Tensor& {
    for (const Tensor& feature : decoder_features)
      if (feature.size(2) == side && feature.size(3) == side) return feature;
    fail("fea2code: there is no feature of side ", side, "; the images must have the sides ",
         options_.size);
  };
  Tensors codes;  // from the highest block down
  Tensor above;   // fea of the block above; that of block 3 serves all below
  for (auto i = std::ssize(styles_) - 1; i >= 0; --i) {
    const Tensor& own = feature_of_side(side_of(i));
    const auto result =
        (*styles_[static_cast<std::size_t>(i)])(above.defined() ? own + above : own);
    if (result.fea.defined()) above = result.fea;
    codes.push_back(result.first);
    codes.push_back(result.second);
  }
  std::reverse(codes.begin(), codes.end());
  return stack(codes, 1);
}

}  // namespace mini::models
