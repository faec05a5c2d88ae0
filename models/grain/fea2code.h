// Fea2Code: GRAIN's way from the decoder's features to codes of StyleGAN2 (W+, two a block).
//
//   feature of side S (+ fea of the block above) ─ conv_first /2 ─┬─ fea, to the block below
//                                                                └─ convs /2 to 16×16
//   ─┬─ convs1 (4 × /2) ─ linear1 ─ first code
//    └─ convs2 (4 × /2) ─ linear2 ─ second code
//
// Blocks of side 16 have neither conv_first nor convs. Names are the official ones.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "models/grain/options.h"
#include "nn/layers.h"
#include "nn/sequential.h"
#include "tensor/random.h"

namespace mini::models {

class GradualStyleBlock : public nn::Module {
 public:
  // For features of this side: 16, 32, 64, ...
  GradualStyleBlock(std::int64_t side, const GrainOptions& options, Generator& generator);

  struct Result {
    Tensor first, second;  // [N,code]
    Tensor fea;            // [N,features,side/2,side/2]; undefined at side 16
  };
  // [N,features,side,side]
  Result operator()(const Tensor& x) const;

 private:
  std::optional<nn::Sequential> first_;
  nn::Sequential convs_, convs1_, convs2_;
  nn::Linear linear1_, linear2_;
};

class Fea2Code : public nn::Module {
 public:
  Fea2Code(const GrainOptions& options, Generator& generator);
  // The features of InvRrdbDecoder -> [N,codes,code], relative to StyleGAN2's mean code.
  Tensor operator()(const std::vector<Tensor>& features) const;

 private:
  GrainOptions options_;
  std::vector<std::unique_ptr<GradualStyleBlock>> styles_;
};

}  // namespace mini::models
