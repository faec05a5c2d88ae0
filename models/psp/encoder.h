// The encoder of pSp (E. Richardson et al., "Encoding in style: a StyleGAN encoder for image-to-image
// translation", CVPR 2021, figure 2): a feature pyramid over IR-SE50, from which one small network
// for each layer of StyleGAN2 maps a picture of a face to that layer's code.
//
//   x ─ body ─ c1 ──── c2 ──── c3 ─── styles.0 .. 2
//              │       │       │ up
//              │   latlayer1 ─ + ─ p2 ─── styles.3 .. 6
//              │               │ up
//          latlayer2 ───────── + ─ p1 ─── styles.7 ..
//
// Codes are relative to StyleGAN2's mean code. Names are the official ones.
#pragma once

#include <memory>
#include <vector>

#include "models/perceptual/ir_se50.h"
#include "models/stylegan2/equalised.h"

namespace mini::models {

struct PspOptions {
  std::int64_t width = 64;   // of the first layer; a code has 8·width numbers
  std::int64_t styles = 18;  // 2·log2(side of the output) - 2
};

// Halves the sides to 1×1, then a linear layer: [N,C,S,S] -> [N,C].
class StyleBlock : public nn::Layer {
 public:
  StyleBlock(std::int64_t channels, std::int64_t halvings, Generator& generator);
  Tensor operator()(const Tensor& x) const override;

 private:
  nn::Sequential convs_;
  EqualLinear linear_;
};

class PspEncoder : public IrSe50Trunk {
 public:
  PspEncoder(const PspOptions& options, Generator& generator);
  // [N,3,256,256] in [-1,1], or any size that the style blocks reduce to 1×1 -> [N,styles,8·width].
  Tensor operator()(const Tensor& x) const;

 private:
  nn::Conv2d lateral1_, lateral2_;
  std::vector<std::unique_ptr<StyleBlock>> styles_;
};

// What keeps codes [N,styles,C] near StyleGAN2's mean codes [styles,C] in training: the batch mean of
// their distance.
Tensor code_distance(const Tensor& codes, const Tensor& mean_codes);

}  // namespace mini::models
