// The downscaler of CAR (W. Sun, Z. Chen, "Learned image downscaling for upscaling using content
// adaptive resampler", IEEE TIP 2020): a network that sees HR and says, for each pixel of LR, from
// which places around it and with what weights LR is made (ops/resample.h). EDSR enlarges the
// result again.
//
//   hr ─ ds_1 ─ ds_2 ─ ds_4 ─┬─ res_4 ─ + ─ ds_8 ─┬─ kernels_trunk ─ kernels
//                            └──────────┘         └─ offsets_trunk ─┬─ offsets_h
//                                                                   └─ offsets_v
//
// ds_n works at 1/n of the sides; the trunks end at LR's. All borders are reflected. Images are in
// [0,1].
#pragma once

#include "models/upscale/mean_shift.h"
#include "nn/layers.h"
#include "nn/sequential.h"
#include "tensor/random.h"

namespace mini::models {

struct KernelOptions {
  std::int64_t scale = 2;      // 2, 4
  std::int64_t features = 64;  // of the first layer; the next have two and four times as many
  std::int64_t blocks = 5;     // of res_4
};

// [N,k²,h,w] each, k = 3·scale + 1: the weights of the taps, whose sum is 1, and how far, in pixels
// of LR, each is moved to the right and down.
struct ResamplingKernels {
  Tensor weights, offsets_h, offsets_v;
};

class KernelNetwork : public nn::Module {
 public:
  KernelNetwork(const KernelOptions& options, Generator& generator);

  // hr [N,3,H,W]; H and W are multiples of 8, and at least 16.
  ResamplingKernels operator()(const Tensor& hr) const;
  // LR [N,3,H/scale,W/scale] as these kernels make it, neither clamped nor rounded.
  Tensor resample(const Tensor& hr, const ResamplingKernels& kernels) const;
  // Keeps for the gradient only what goes into the blocks of res_4.
  void checkpoint_blocks(bool on) { res_4_.checkpoint_layers(on); }

  // The sides of hr are multiples of `grid`, and at least `least`.
  static constexpr std::int64_t grid = 8, least = 16;

 private:
  std::int64_t scale_;
  MeanShift sub_mean_;
  nn::Sequential ds_1_, ds_2_, ds_4_, res_4_, ds_8_;
  nn::Sequential kernels_trunk_, offsets_trunk_, kernels_, offsets_h_, offsets_v_;
};

// What CAR's training adds to the loss, to be weighted. The first keeps taps near the middle of
// their kernel: the mean over LR's pixels of Σ √(h² + v²)·d, d the distance of a tap's place from
// the middle, divided by k. The second keeps neighbouring offsets alike where weights are large: (Σ
// |Δx v|·weight + Σ |Δy h|·weight)/N.
Tensor offset_loss(const ResamplingKernels& kernels);
Tensor offset_variation(const ResamplingKernels& kernels);

}  // namespace mini::models
