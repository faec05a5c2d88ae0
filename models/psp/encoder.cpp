#include "models/psp/encoder.h"

#include "autograd/functions.h"
#include "nn/init.h"

namespace mini::models {
namespace {

// The units of the body after which c1, c2 and c3 come.
const std::vector<std::size_t> levels{6, 20, 23};
// The first style that reads p2, and the first that reads p1.
constexpr std::int64_t first_of_p2 = 3, first_of_p1 = 7;

Tensor up(const Tensor& x, const Tensor& like) {
  return resize_bilinear(x, like.size(2), like.size(3), true);
}

}  // namespace

StyleBlock::StyleBlock(std::int64_t channels, std::int64_t halvings, Generator& generator)
    : linear_(channels, channels, {}, generator) {
  for (std::int64_t i = 0; i < halvings; ++i) {
    convs_.append<nn::Conv2d>(channels, channels, 3,
                              Conv2dParams{.stride = {2, 2}, .padding = {1, 1}});
    convs_.append<nn::LeakyRelu>(0.01);
  }
  nn::initialise_as_pytorch(convs_, generator);
  register_module("convs", convs_);
  register_module("linear", linear_);
}

Tensor StyleBlock::operator()(const Tensor& x) const {
  const Tensor y = convs_(x);
  check(y.size(2) == 1 && y.size(3) == 1, "psp: the image is too large: its codes have ", y.size(2),
        "x", y.size(3), " pixels; resize it to 256x256");
  return linear_(reshape(y, {y.size(0), y.size(1)}));
}

PspEncoder::PspEncoder(const PspOptions& options, Generator& generator)
    : IrSe50Trunk(options.width, generator),
      lateral1_(4 * options.width, 8 * options.width, 1),
      lateral2_(2 * options.width, 8 * options.width, 1) {
  check(options.styles > 0, "psp: needs styles, got ", options.styles);
  for (std::int64_t j = 0; j < options.styles; ++j) {
    const std::int64_t halvings = j < first_of_p2 ? 4 : j < first_of_p1 ? 5 : 6;
    styles_.push_back(std::make_unique<StyleBlock>(8 * options.width, halvings, generator));
    register_module(concat_text("styles.", j), *styles_.back());
  }
  nn::initialise_as_pytorch(lateral1_, generator);
  nn::initialise_as_pytorch(lateral2_, generator);
  register_module("latlayer1", lateral1_);
  register_module("latlayer2", lateral2_);
}

Tensor PspEncoder::operator()(const Tensor& x) const {
  const std::vector<Tensor> c = after_units(x, levels);
  const Tensor p2 = up(c[2], c[1]) + lateral1_(c[1]);
  const Tensor p1 = up(p2, c[0]) + lateral2_(c[0]);
  Tensors codes;
  for (std::size_t j = 0; j < styles_.size(); ++j)
    codes.push_back((*styles_[j])(j < first_of_p2 ? c[2] : j < first_of_p1 ? p2 : p1));
  return stack(codes, 1);
}

Tensor code_distance(const Tensor& codes, const Tensor& mean_codes) {
  constexpr std::array<int, 2> of_a_sample{1, 2};
  return mean(sqrt(sum(square(codes - mean_codes), of_a_sample)));
}

}  // namespace mini::models
