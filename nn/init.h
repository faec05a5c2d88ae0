// Initialisers: random tensors of a given shape.
#pragma once

#include "tensor/random.h"

namespace mini::nn {

// Values from N(0, std²).
Tensor normal(const Shape& shape, double std, Generator& generator);
// Weights from N(0, std²) with std = gain·sqrt(2/(fan_in + fan_out)), for a weight [O,I,kh,kw] or
// [O,I] (X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
// networks", AISTATS 2010).
Tensor xavier_normal(const Shape& shape, double gain, Generator& generator);

}  // namespace mini::nn
