// What invertible rescaling networks have in common.
//
//   downscale: HR [N,3,H,W]        --forward-->  out [N,3s²,H/s,W/s] and LR [N,3,H/s,W/s]
//   upscale:   y = cat(LR, z)      --inverse-->  HR
//
// A network may be told of the codec that the LR goes through: 1 - quality/100, its condition, so 0 where
// nothing is lost. LR must not depend on it. So whoever makes an image small need not know yet how it will
// be stored, and whoever makes it large reads the quality off the file.
//
// Most networks, SAIN and IRN among them, are FlowRescalers: they say what they consist of, and how that
// is run, inverted, trained and streamed is written once.
#pragma once

#include <memory>
#include <optional>

#include "models/invertible/flow.h"
#include "models/rescaler.h"

namespace mini::models {

class InvertibleRescaler : public Rescaler {
 public:
  virtual bool has_condition() const { return false; }
  // The condition, [N,1,1,1], for qualities of the codec: one for each image, or one for all of them.
  // Undefined for a network that has none.
  Tensor condition(const std::vector<int>& qualities) const;
  // x [N,3,H,W], H and W multiples of scale(). Differentiable; with the log-determinant, everything
  // inside is stored, whatever the memory mode. A network without a condition ignores one.
  virtual FlowResult forward(const Tensor& x, bool with_log_det = false,
                             const Tensor& condition = {}) const = 0;
  // y [N,3·scale²,h,w].
  virtual FlowResult inverse(const Tensor& y, bool with_log_det = false,
                             const Tensor& condition = {}) const = 0;
  // The latent z for `shape` = [N,3·(scale²-1),h,w]. SAIN draws from its mixture, IRN from N(0,1).
  // With a part, only that of the draw for the whole shape (tensor/random.h).
  virtual Tensor sample_latent(const Shape& shape, Generator& generator,
                               std::optional<ops::DrawPart> part = {}) const = 0;
  // Its channels.
  std::int64_t latent_channels() const { return image_channels * (scale() * scale() - 1); }

  // What forward and inverse keep for the gradient.
  MemoryMode memory() const { return memory_; }
  void set_memory(MemoryMode memory) { memory_ = memory; }

  // LR = quantise(forward(x).lr), in [0,1].
  Tensor downscale(const Tensor& hr) const override;
  // HR = inverse(cat(lr, z)).out. z = 0 when `generator` is null (reproducible, < 0.02 dB off).
  Tensor upscale(const Tensor& lr, Generator* generator = nullptr,
                 int quality = lossless) const override;

 private:
  MemoryMode memory_ = MemoryMode::exact;
};

class FlowRescaler : public InvertibleRescaler {
 public:
  // What it computes. Refers to the network, which must outlive it.
  virtual Flow flow(const Tensor& condition = {}) const = 0;

  FlowResult forward(const Tensor& x, bool with_log_det = false,
                     const Tensor& condition = {}) const override;
  FlowResult inverse(const Tensor& y, bool with_log_det = false,
                     const Tensor& condition = {}) const override;
  // Without the layers on which LR does not depend.
  Tensor downscale(const Tensor& hr) const override;
  std::unique_ptr<RowStream> stream(Rescaling way, const Shape& input, DType dtype,
                                    const Generator* generator = nullptr,
                                    int quality = lossless) const override;
};

}  // namespace mini::models
