// The codec of a recipe: what LR goes through between the networks, or in front of the one.
#pragma once

#include <optional>
#include <vector>

#include "io/image.h"
#include "nn/field.h"
#include "tensor/queue.h"
#include "tensor/random.h"

namespace mini::train {

struct Codec {
  std::optional<io::ImageFormat> format{};  // none: LR stays as it is
  std::vector<int> qualities = {75};        // one is drawn for each step
};

// The rows "codec.format" and "codec.quality", for a recipe that may do without a codec.
std::vector<nn::Field> codec_fields(Codec& codec);
void validate(const Codec& codec);
// The quality for a step, drawn from `generator`; 0 without a codec, where nothing is drawn.
int draw_quality(const Codec& codec, Generator& generator);

// What the codec makes of the images `sent`, which had the shape, dtype and device of `like`: a
// constant for the gradient. `qualities`: one for each image, or one for all. A GPU goes on computing while the host waits for the images and
// compresses them.
Tensor through_codec(const HostCopy& sent, const Tensor& like, io::ImageFormat format,
                     const std::vector<int>& qualities);

}  // namespace mini::train
