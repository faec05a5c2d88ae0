// InvRRDB: GRAIN's first module, a pair of networks that learn to undo each other. Both work on
// images in [-1,1].
//
//   encoder  x ─ conv_first ─ body (6 × /2) ─┬─ 10 RRDBs ─ trunk_conv ─ + ─ out ─ LR
//                                            └──────────────────────────┘
//   decoder  LR ─ conv_first ─ trunk ─ ×2 ─ trunk ─ ×2 ─ ... ─ trunk ─ out ─ HR
//            trunk: x + trunk_conv(RRDBs(x)), at each of seven resolutions
//
// What comes out of the decoder's trunks, its features, is what GRAIN's other modules see. Names are
// the official ones: a resolution is named as at size 1024, whatever the size is.
#pragma once

#include <memory>
#include <vector>

#include "models/grain/options.h"
#include "nn/layers.h"
#include "nn/sequential.h"
#include "tensor/random.h"

namespace mini::models {

class InvRrdbEncoder : public nn::Layer {
 public:
  InvRrdbEncoder(const GrainOptions& options, Generator& generator);
  // [N,3,64·h,64·w] -> [N,3,h,w], not rounded.
  Tensor operator()(const Tensor& hr) const override;

 private:
  nn::Conv2d first_;
  nn::Sequential body_, trunk_;
  nn::Conv2d trunk_conv_;
  nn::Sequential out_;
};

class InvRrdbDecoder : public nn::Module {
 public:
  InvRrdbDecoder(const GrainOptions& options, Generator& generator);
  struct Result {
    Tensor image;                  // [N,3,64·h,64·w]
    std::vector<Tensor> features;  // seven, [N,features,h·2^j,w·2^j]
  };
  // [N,3,h,w]
  Result operator()(const Tensor& lr) const;

 private:
  struct Level {
    explicit Level(std::int64_t features);
    nn::Sequential trunk;
    nn::Conv2d conv;
  };
  nn::Conv2d first_;
  std::vector<std::unique_ptr<Level>> levels_;
  nn::Sequential out_;
};

class InvRrdb : public nn::Module {
 public:
  InvRrdb(const GrainOptions& options, Generator& generator);
  InvRrdbEncoder encoder;
  InvRrdbDecoder decoder;
};

// LR in [-1,1] as a file with 8 bits can hold it; the gradient passes straight through. With a
// generator, noise as large as the rounding error takes its place, as in training.
Tensor quantise_lr(const Tensor& lr, Generator* noise = nullptr);

}  // namespace mini::models
