#include "models/upscale/compact.h"

#include <cmath>

#include "autograd/functions.h"
#include "models/upscale/recognise.h"
#include "nn/init.h"
#include "nn/layers.h"

namespace mini::models {

std::vector<nn::Field> CompactNet::fields(Options& options) {
  return {
      {"scale", &options.scale, "HR side / LR side", {}, {"1", "2", "3", "4"}},
      {"layers", &options.layers, "layers between the first and the last", nn::between(0, 1000)},
      {"features", &options.features, "channels", nn::between(1, 4096)},
  };
}

std::optional<CompactOptions> CompactNet::recognise(const nn::StateDict& state) {
  if (!state.contains("body.0.weight") || !state.contains("body.1.weight")) return std::nullopt;
  const std::int64_t features = outputs_of(state, "body.0.weight");
  if (state.at("body.1.weight").shape() != Shape{features}) return std::nullopt;
  std::int64_t last = 0;  // convolutions have even numbers
  while (state.contains(concat_text("body.", last + 2, ".weight"))) last += 2;
  Options options{.layers = last / 2 - 1, .features = features};
  const std::int64_t outputs = outputs_of(state, concat_text("body.", last, ".weight"));
  options.scale = std::llround(std::sqrt(static_cast<double>(outputs) / 3));
  check(last >= 2 && outputs == 3 * options.scale * options.scale && options.scale <= 4,
        "model: the last of the weights makes ", outputs,
        " channels; 3, 12, 27 and 48 (x1 to x4) are known");
  const auto width = static_cast<double>(features);
  check_plausible(state, 9 * width * width * static_cast<double>(options.layers) + 27 * width,
                  network);
  return options;
}

CompactNet::CompactNet(const Options& options, Generator& generator) : Upscaler(options.scale) {
  check(options.scale > 0 && options.layers >= 0 && options.features > 0,
        "compact: scale and features must be above 0");
  const std::int64_t features = options.features;
  body_.append<nn::Conv2d>(3, features, 3, nn::same_size(3));
  body_.append<nn::PRelu>(features);
  for (std::int64_t i = 0; i < options.layers; ++i) {
    body_.append<nn::Conv2d>(features, features, 3, nn::same_size(3));
    body_.append<nn::PRelu>(features);
  }
  body_.append<nn::Conv2d>(features, 3 * options.scale * options.scale, 3, nn::same_size(3));
  body_.append<nn::PixelShuffle>(options.scale);
  register_module("body", body_);
  nn::initialise_as_pytorch(*this, generator);
}

Tensor CompactNet::operator()(const Tensor& lr) const {
  return body_(lr) + upsample_nearest(lr, scale());
}

nn::RowLayers CompactNet::rows(const Shape& lr, DType dtype) const {
  // Up to the last layer, which enlarges; then both parts of the result are made from the same rows.
  nn::RowChain inner(lr, dtype);
  for (std::size_t i = 0; i + 1 < body_.size(); ++i)
    inner.add(body_.rows_of(i, inner.shape(), dtype));
  const std::int64_t s = scale();
  nn::RowChain chain(lr, dtype);
  const std::int64_t channels = 3 + inner.shape()[1];
  chain.add(nn::skip_rows(lr, inner.take(), channels, [](const Tensor& x, const Tensor& y) {
    return concat({x, y}, 1);
  }));
  return chain
      .add(std::make_unique<nn::WindowRows>(
          chain.shape(), dtype, Shape{lr[0], 3, s * lr[2], s * lr[3]},
          nn::RowFunction{.function =
                              [s](const Tensor& both) {
                                const Tensor x = narrow(both, 1, 0, 3);
                                const Tensor y = narrow(both, 1, 3, both.size(1) - 3);
                                return pixel_shuffle(y, s) + upsample_nearest(x, s);
                              },
                          .enlarge = s,
                          // The two parts, each of the size of the result.
                          .workspace =
                              [s, dtype](const Shape& in) {
                                return static_cast<std::size_t>(in[0] * 6 * s * s * in[2] * in[3]) *
                                       element_size(dtype);
                              }}))
      .take();
}

}  // namespace mini::models
