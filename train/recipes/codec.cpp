#include "train/recipes/codec.h"

#include "tensor/view.h"

namespace mini::train {

std::vector<nn::Field> codec_fields(Codec& codec) {
  return {{"codec.format",
           nn::or_none(&codec.format),
           "the codec that LR goes through, in training and validation",
           {},
           {"none", "jpeg", "webp"}},
          {"codec.quality", &codec.qualities,
           "its quality; of a list or \"30..90\" one is drawn each step", nn::between(1, 100)}};
}

void validate(const Codec& codec) {
  check(!codec.qualities.empty(), "codec.quality: must not be empty");
}

int draw_quality(const Codec& codec, Generator& generator) {
  if (!codec.format) return 0;
  const auto choices = static_cast<std::int64_t>(codec.qualities.size());
  return codec.qualities[static_cast<std::size_t>(generator.next_below(choices))];
}

Tensor through_codec(const HostCopy& sent, const Tensor& like, io::ImageFormat format,
                     const std::vector<int>& qualities) {
  return from_host(like.shape(), like.dtype(), like.device(), [=](const Tensor& result) {
    ops::copy(io::codec_roundtrip(sent.wait(), format, qualities), result);
  });
}

}  // namespace mini::train
