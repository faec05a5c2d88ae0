// What an invertible block is: two named functions on the two halves of its channels.
#pragma once

#include "nn/module.h"

namespace mini::models {

// The channels of one tensor in two parts: x1 holds the image-like three, x2 the rest.
struct Halves {
  Tensor x1, x2;
};

// [N,C,H,W] -> [N,split,H,W] and [N,C-split,H,W], and back.
Halves split_channels(const Tensor& x, std::int64_t split);
Tensor join_channels(const Halves& halves);

class InvertibleBlock : public nn::Module {
 public:
  // What a pass may leave behind besides its result; a caller that wants neither passes null.
  struct Tap {
    Tensor lr;         // the LR inside an enhanced block
    Tensor log_scale;  // s of the coupling, [N,C2,H,W]: Σs/N is the forward log-determinant
  };

  virtual Halves forward(const Halves& x, Tap* tap = nullptr) const = 0;
  virtual Halves inverse(const Halves& y, Tap* tap = nullptr) const = 0;
};

}  // namespace mini::models
