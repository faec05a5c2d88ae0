// T-SAIN, the successor of SAIN: models/tri/tri_rescaler.h with comp blocks, which model what
// compression does to LR. The recipe of SAIN trains it; there is no mixture, the latent is zero.
#pragma once

#include <optional>
#include <vector>

#include "models/tri/tri_rescaler.h"
#include "nn/field.h"

namespace mini::models {

struct TsainOptions {
  std::int64_t scale = 2;          // 2, 4
  std::int64_t down_blocks = 3;    // of the first level
  std::int64_t down_blocks_2 = 3;  // of the second, at scale 4
  std::int64_t comp_blocks = 0;    // 0: the paper's 1 (x2) or 2 (x4)
  std::int64_t growth = 32;        // channels that a dense block's convolution adds
  bool clamp_inside = true;
};

class Tsain : public TriRescaler {
 public:
  using Options = TsainOptions;
  static constexpr const char *network = "tsain", *recipe = "sain";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);
  static std::vector<std::string> untold(const nn::StateDict& state);

  Tsain(const Options& options, Generator& generator);

  std::string name() const override { return network; }
};

}  // namespace mini::models
