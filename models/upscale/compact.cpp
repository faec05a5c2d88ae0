#include "models/upscale/compact.h"

#include "autograd/functions.h"
#include "nn/init.h"
#include "nn/layers.h"

namespace mini::models {

CompactNet::CompactNet(const CompactOptions& options, Generator& generator)
    : scale_(options.scale) {
  check(options.scale > 0 && options.layers >= 0 && options.features > 0,
        "compact: scale and features must be above 0");
  const std::int64_t features = options.features;
  body_.append<nn::Conv2d>(3, features, 3, nn::same_size(3));
  body_.append<nn::PRelu>(features);
  for (std::int64_t i = 0; i < options.layers; ++i) {
    body_.append<nn::Conv2d>(features, features, 3, nn::same_size(3));
    body_.append<nn::PRelu>(features);
  }
  body_.append<nn::Conv2d>(features, 3 * scale_ * scale_, 3, nn::same_size(3));
  body_.append<nn::PixelShuffle>(scale_);
  register_module("body", body_);
  nn::initialise_as_pytorch(*this, generator);
}

Tensor CompactNet::operator()(const Tensor& x) const {
  return body_(x) + upsample_nearest(x, scale_);
}

}  // namespace mini::models
