#include "models/grain/patch_discriminator.h"

#include "nn/batch_norm.h"
#include "nn/init.h"
#include "nn/layers.h"

namespace mini::models {

PatchDiscriminator::PatchDiscriminator(Generator& generator, std::int64_t width) {
  std::int64_t in = 3;
  for (const std::int64_t out : {width, 2 * width, 4 * width, 8 * width})
    for (const std::int64_t stride : {1, 2}) {
      model_.append<nn::Conv2d>(in, out, 3,
                                Conv2dParams{.stride = {stride, stride}, .padding = {1, 1}});
      if (in != 3) model_.append<nn::BatchNorm>(out);
      model_.append<nn::LeakyRelu>(0.2);
      in = out;
    }
  model_.append<nn::Conv2d>(in, 1, 3, nn::same_size(3));
  register_module("model", model_);
  nn::initialise_as_pytorch(*this, generator);
}

}  // namespace mini::models
