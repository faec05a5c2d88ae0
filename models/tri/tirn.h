// T-IRN, the successor of IRN: models/tri/tri_rescaler.h without a model of compression. The recipe of
// IRN trains it, without the prior of the latent.
#pragma once

#include <optional>
#include <vector>

#include "models/tri/tri_rescaler.h"
#include "nn/field.h"

namespace mini::models {

struct TirnOptions {
  std::int64_t scale = 2;          // 2, 4
  std::int64_t down_blocks = 3;    // of the first level
  std::int64_t down_blocks_2 = 4;  // of the second, at scale 4
  std::int64_t growth = 32;        // channels that a dense block's convolution adds
  bool clamp_inside = true;
};

class Tirn : public TriRescaler {
 public:
  using Options = TirnOptions;
  static constexpr const char *network = "tirn", *recipe = "irn";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);
  static std::vector<std::string> untold(const nn::StateDict& state);

  Tirn(const Options& options, Generator& generator);

  std::string name() const override { return network; }
};

}  // namespace mini::models
