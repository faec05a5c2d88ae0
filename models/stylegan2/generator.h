// StyleGAN2's generator (T. Karras et al., CVPR 2020), with the names of rosinality's PyTorch port.
//
//   z ─ style (mapping: PixelNorm, linear layers) ─ w, one for every layer or W+: one each
//
//   constant 4×4 ─ conv1 ─┬─ convs.0 (up) ─ convs.1 ─┬─ convs.2 (up) ─ convs.3 ─┬─ ...
//                      to_rgb1 ─────────────────to_rgbs.0 ────────────────to_rgbs.1 ─ ... ─ image
//
// conv1 takes code 0 and to_rgb1 code 1; at the resolution 8·2^j convs.2j, convs.(2j+1) and
// to_rgbs.j take the codes 2j+1, 2j+2 and 2j+3.
#pragma once

#include <memory>
#include <vector>

#include "models/stylegan2/options.h"
#include "models/stylegan2/styled_conv.h"

namespace mini::models {

class StyleGan2Generator : public nn::Module {
 public:
  StyleGan2Generator(const StyleGan2Options& options, Generator& generator);

  // The mapping network: z [N,style] from N(0, 1) -> w [N,style].
  Tensor map(const Tensor& z) const { return mapping_(z); }

  struct Result {
    Tensor image;                  // [N,3,size,size], about -1..1
    std::vector<Tensor> features;  // after the last convolution of each resolution, 4×4 first
  };
  // codes [N,codes,style]. Noise comes from `random`; with null it is the stored one.
  Result operator()(const Tensor& codes, Generator* random = nullptr) const;

  const StyleGan2Options& options() const { return options_; }

 private:
  // The noise of layer i, for features of this side.
  Tensor noise(std::size_t i, std::int64_t samples, std::int64_t side, Generator* random) const;

  StyleGan2Options options_;
  nn::Sequential mapping_;
  Tensor input_;  // [1,C,4,4]
  std::unique_ptr<StyledConv> conv1_;
  std::unique_ptr<ToRgb> to_rgb1_;
  std::vector<std::unique_ptr<StyledConv>> convs_;
  std::vector<std::unique_ptr<ToRgb>> to_rgbs_;
  std::vector<Tensor> noises_;  // [1,1,side,side]
};

}  // namespace mini::models
