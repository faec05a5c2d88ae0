#include "models/upscale/edsr.h"

#include "models/upscale/residual.h"
#include "nn/init.h"

namespace mini::models {

Edsr::Edsr(const EdsrOptions& options, Generator& generator)
    : ResidualUpscaler(options.scale, options.features, options.range, "edsr") {
  check(options.blocks > 0, "edsr: needs at least one block, got ", options.blocks);
  for (std::int64_t i = 0; i < options.blocks; ++i)
    body_.append<ResidualBlock>(options.features, options.residual_scale);
  body_.append<nn::Conv2d>(options.features, options.features, 3, nn::same_size(3));
  nn::initialise_as_pytorch(*this, generator);
}

nn::KeyTable Edsr::basicsr_keys() const {
  std::vector<nn::KeyTable::Row> rows = frame_keys();
  rows.push_back({"body.#.body.0", "body.#.conv1"});
  rows.push_back({"body.#.body.2", "body.#.conv2"});
  return nn::KeyTable(rows);
}

}  // namespace mini::models
