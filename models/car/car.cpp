#include "models/car/car.h"

#include <algorithm>

#include "autograd/functions.h"
#include "models/invertible/recognise.h"
#include "models/upscale/recognise.h"

namespace mini::models {
namespace {

// A side that the kernel network can take.
std::int64_t fitting(std::int64_t side) {
  constexpr std::int64_t grid = KernelNetwork::grid;
  return std::max((side + grid - 1) / grid * grid, KernelNetwork::least);
}

nn::StateDict below(const nn::StateDict& state, const std::string& prefix) {
  nn::StateDict part;
  for (const auto& [name, tensor] : state)
    if (name.starts_with(prefix)) part.emplace(name.substr(prefix.size()), tensor);
  return part;
}

}  // namespace

std::vector<nn::Field> Car::fields(Options& options) {
  return {
      {"scale", &options.scale, "HR side / LR side", {}, {"2", "4"}},
      {"kernel_features", &options.kernel_features,
       "channels of the kernel network's first layer; the next have two and four times as many",
       nn::between(1, 1024)},
      {"kernel_blocks", &options.kernel_blocks, "its residual blocks", nn::between(1, 1000)},
      {"blocks", &options.blocks, "residual blocks of EDSR", nn::between(1, 1000)},
      {"features", &options.features, "channels of EDSR", nn::between(1, 4096)},
      {"residual_scale", &options.residual_scale, "factor of what a block of EDSR adds",
       nn::more_than(0)},
  };
}

std::optional<CarOptions> Car::recognise(const nn::StateDict& state) {
  if (!state.contains("kgn.ds_1.1.weight")) return std::nullopt;
  const std::optional<EdsrOptions> edsr = Edsr::recognise(below(state, "usn."));
  if (!edsr) return std::nullopt;
  const Options options{.scale = edsr->scale,
                        .kernel_features = outputs_of(state, "kgn.ds_1.1.weight"),
                        .kernel_blocks = count_blocks(state, "kgn.res_4", "transform.1.weight"),
                        .blocks = edsr->blocks,
                        .features = edsr->features,
                        .residual_scale = edsr->residual_scale};
  const auto features = static_cast<double>(options.kernel_features);
  // Eight convolutions of the trunks alone, of four times as many channels.
  check_plausible(state, 8 * 9 * 16 * features * features, network);
  return options;
}

std::vector<std::string> Car::untold(const nn::StateDict& /*state*/) { return {"residual_scale"}; }

Car::Car(const Options& options, Generator& generator)
    : kernel_network_({.scale = options.scale,
                       .features = options.kernel_features,
                       .blocks = options.kernel_blocks},
                      generator),
      edsr_({.scale = options.scale,
             .blocks = options.blocks,
             .features = options.features,
             .residual_scale = options.residual_scale,
             .range = 1},
            generator) {
  register_module("kgn", kernel_network_);
  register_module("usn", edsr_);
}

Tensor Car::downscale(const Tensor& hr) const {
  const std::int64_t height = hr.size(2), width = hr.size(3);
  check(height % scale() == 0 && width % scale() == 0, "car: the sides of ", hr.shape(),
        " must be multiples of ", scale(), "; pad or crop it");
  const Padding2d missing{.right = fitting(width) - width, .bottom = fitting(height) - height};
  const Tensor whole =
      missing.right + missing.bottom == 0 ? hr : pad2d(hr, missing, PadMode::replicate);
  const Tensor lr = quantise(kernel_network_.resample(whole, kernel_network_(whole)));
  return narrow(narrow(lr, 2, 0, height / scale()), 3, 0, width / scale());
}

Tensor Car::upscale(const Tensor& lr, Generator* generator, int /*quality*/) const {
  return edsr_.upscale(lr, generator);
}

void Car::checkpoint_blocks(bool on) {
  kernel_network_.checkpoint_blocks(on);
  edsr_.checkpoint_blocks(on);
}

}  // namespace mini::models
