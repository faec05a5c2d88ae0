#include "models/perceptual/ir_se50.h"

#include "autograd/functions.h"
#include "models/blocks/squeeze_excite.h"
#include "nn/batch_norm.h"
#include "nn/init.h"

namespace mini::models {
namespace {

// The units of each width.
constexpr std::array<std::int64_t, 4> units_per_width{3, 4, 14, 3};

class Unit : public nn::Layer {
 public:
  Unit(std::int64_t in, std::int64_t out, std::int64_t stride) {
    const Conv2dParams strided{.stride = {stride, stride}, .padding = {1, 1}};
    residual_.append<nn::BatchNorm>(in);
    residual_.append<nn::Conv2d>(in, out, 3, nn::same_size(3), nn::Bias::no);
    residual_.append<nn::PRelu>(out);
    residual_.append<nn::Conv2d>(out, out, 3, strided, nn::Bias::no);
    residual_.append<nn::BatchNorm>(out);
    residual_.append<SqueezeExcite>(out);
    register_module("res_layer", residual_);
    if (in == out) {
      shortcut_.append<nn::MaxPool2d>(Pool2dParams{{1, 1}, {stride, stride}, {0, 0}});
    } else {
      shortcut_.append<nn::Conv2d>(in, out, 1, Conv2dParams{.stride = {stride, stride}},
                                   nn::Bias::no);
      shortcut_.append<nn::BatchNorm>(out);
    }
    register_module("shortcut_layer", shortcut_);
  }
  Tensor operator()(const Tensor& x) const override { return residual_(x) + shortcut_(x); }

 private:
  nn::Sequential residual_, shortcut_;
};

}  // namespace

IrSe50Trunk::IrSe50Trunk(std::int64_t width, Generator& generator) {
  input_layer_.append<nn::Conv2d>(3, width, 3, nn::same_size(3), nn::Bias::no);
  input_layer_.append<nn::BatchNorm>(width);
  input_layer_.append<nn::PRelu>(width);
  std::int64_t in = width, out = width;
  for (const std::int64_t units : units_per_width) {
    for (std::int64_t i = 0; i < units; ++i) {
      body_.append<Unit>(in, out, i == 0 ? 2 : 1);
      in = out;
    }
    out *= 2;
  }
  register_module("input_layer", input_layer_);
  register_module("body", body_);
  nn::initialise_as_pytorch(*this, generator);
}

std::vector<Tensor> IrSe50Trunk::after_units(const Tensor& x,
                                             const std::vector<std::size_t>& units) const {
  std::vector<Tensor> result;
  Tensor y = input_layer_(x);
  for (std::size_t i = 0; i < body_.size(); ++i) {
    y = body_.apply(i, y);
    if (result.size() < units.size() && units[result.size()] == i) result.push_back(y);
  }
  return result;
}

IrSe50::IrSe50(Generator& generator) : IrSe50Trunk(64, generator) {
  constexpr std::int64_t side = 7, channels = 512, embedding = 512;
  output_layer_.append<nn::BatchNorm>(channels);
  output_layer_.append<nn::Dropout>(0.6);
  output_layer_.append<nn::Flatten>();
  output_layer_.append<nn::Linear>(channels * side * side, embedding);
  output_layer_.append<nn::BatchNorm>(embedding);
  register_module("output_layer", output_layer_);
  nn::initialise_as_pytorch(output_layer_, generator);
  set_training(false);
}

Tensor IrSe50::crop(const Tensor& faces) {
  const Tensor at_256 =
      faces.size(2) == 256 && faces.size(3) == 256 ? faces : resize_bilinear(faces, 256, 256);
  return adaptive_avg_pool2d(narrow(narrow(at_256, 2, 35, 188), 3, 32, 188), 112, 112);
}

Tensor IrSe50::operator()(const Tensor& faces) const {
  check(faces.rank() == 4 && faces.size(1) == 3, "ir_se50: needs faces [N,3,H,W], got ",
        faces.shape());
  return l2_normalise(output_layer_(after_units(crop(faces), {last_unit}).front()));
}

Tensor identity_loss(const IrSe50& network, const Tensor& a, const Tensor& b) {
  const Tensor cosines = sum(network(a) * network(b)) / static_cast<double>(a.size(0));
  return 1.0 - cosines;
}

}  // namespace mini::models
