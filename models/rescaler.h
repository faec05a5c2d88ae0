// What SAIN, IRN and any other invertible rescaling network have in common.
//
//   downscale: HR [N,3,H,W]        --forward-->  out [N,3s²,H/s,W/s] and LR [N,3,H/s,W/s]
//   upscale:   y = cat(LR, z)      --inverse-->  HR
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "models/invertible/flow.h"
#include "nn/module.h"
#include "tensor/random.h"

namespace mini::models {

class Rescaler : public nn::Module {
 public:
  virtual std::string name() const = 0;  // "sain", "irn"
  virtual std::int64_t scale() const = 0;
  // What it computes. Refers to the network, which must outlive it.
  virtual Flow flow() const = 0;
  // The latent z for `shape` = [N,3·(scale²-1),h,w]. SAIN draws from its mixture, IRN from N(0,1).
  // With a part, only that of the draw for the whole shape (tensor/random.h).
  virtual Tensor sample_latent(const Shape& shape, Generator& generator,
                               std::optional<ops::DrawPart> part = {}) const = 0;

  // x [N,3,H,W], H and W multiples of scale(). Differentiable; with the log-determinant, everything
  // inside is stored, whatever the memory mode.
  FlowResult forward(const Tensor& x, bool with_log_det = false) const;
  // y [N,3·scale²,h,w].
  FlowResult inverse(const Tensor& y, bool with_log_det = false) const;

  // What forward and inverse keep for the gradient.
  MemoryMode memory() const { return memory_; }
  void set_memory(MemoryMode memory) { memory_ = memory; }

  // LR = quantise(forward(x).lr), in [0,1].
  Tensor downscale(const Tensor& x) const;
  // HR = inverse(cat(lr, z)).out. z = 0 when `generator` is null (reproducible, < 0.02 dB off).
  Tensor upscale(const Tensor& lr, Generator* generator = nullptr, double latent_scale = 1) const;

 private:
  MemoryMode memory_ = MemoryMode::exact;
};

struct RescalerConfig {
  std::string network = "sain";  // sain, irn
  std::int64_t scale = 2;        // 2, 4
  // Zero: the papers' numbers (SAIN x2 5+3, x4 10+6; IRN 8 blocks a level).
  std::int64_t enhanced_blocks = 0, vanilla_blocks = 0;
  std::int64_t growth = 32;  // channels a dense block's convolution adds
};

// Initialised as the papers say, from `generator`.
std::unique_ptr<Rescaler> make_rescaler(const RescalerConfig& config, Generator& generator);
// Network, scale and depth read off the names and shapes in `state`; throws if it is none of ours.
RescalerConfig recognise_rescaler(const nn::StateDict& state);

}  // namespace mini::models
