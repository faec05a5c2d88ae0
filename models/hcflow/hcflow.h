// HCFlow (J. Liang, A. Lugmayr, K. Zhang, M. Danelljan, L. Van Gool, R. Timofte, "Hierarchical
// conditional flow: A unified framework for image super-resolution and image rescaling", ICCV
// 2021), the rescaling network ×4.
//
//   HR ─ Haar ─ steps ─┬─ y1 (6) ─ Haar ─ steps ─┬─ LR (3)
//                      └─ a1 (6)                 └─ a2 (21)
//
// a2 becomes noise z2 given LR, a1 becomes z1 given y1 and what level 1 saw in LR
// (models/hcflow/conditional_flow.h). Images are in [0,1]; names are the authors'.
//
// It is no chain of coupling layers: ActNorm and the permutations change all channels, and detail is
// split off on the way. So training cannot restore activations as SAIN's does
// (models/invertible/chain.h); it keeps everything, or what goes into each step.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "models/hcflow/conditional_flow.h"
#include "models/invertible/haar.h"
#include "models/rescaler.h"
#include "nn/field.h"

namespace mini::models {

struct HcFlowOptions {
  std::int64_t scale = 4;    // there is no other
  std::int64_t steps = 8;    // of the main chain, at each level
  std::int64_t growth = 32;  // of the dense blocks there
  ConditionalFlowOptions conditional;
};

class HcFlow : public Rescaler {
 public:
  using Options = HcFlowOptions;
  static constexpr const char *network = "hcflow", *recipe = "hcflow";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);

  HcFlow(const Options& options, Generator& generator);

  std::string name() const override { return network; }
  std::int64_t scale() const override { return 4; }
  Tensor downscale(const Tensor& hr) const override;
  // Detail is drawn from N(0,1); zero without a generator.
  Tensor upscale(const Tensor& lr, Generator* generator = nullptr,
                 int quality = lossless) const override;
  void checkpoint_blocks(bool on) override;

  struct Result {
    Tensor lr;       // [N,3,H/4,W/4], not clamped
    Tensor z1, z2;   // [N,6,H/2,W/2], [N,21,H/4,W/4]
    Tensor log_det;  // [N], of the whole map; undefined unless asked for
  };
  // hr [N,3,H,W]; H and W are multiples of 4.
  Result forward(const Tensor& hr, bool with_log_det = false) const;
  // The shapes of z1 and z2 for this LR.
  static std::array<Shape, 2> noise_shapes(const Shape& lr);
  // The HR image, not clamped, for noise of these shapes; zeros give the same one every time.
  Tensor inverse(const Tensor& lr, const Tensor& z1, const Tensor& z2) const;

 private:
  struct Level {
    std::unique_ptr<HaarDownsampling> haar;
    std::vector<std::unique_ptr<FlowStep>> steps;

    Tensor forward(const Tensor& x, Tensor* log_det, bool checkpoints) const;
    Tensor inverse(const Tensor& y, bool checkpoints) const;
  };

  bool checkpoints_steps_ = false;
  std::array<Level, 2> levels_;
  ConditionalFlow detail0_, detail1_;
};

}  // namespace mini::models
