// Initialisers: fill a parameter from a generator, in place.
#pragma once

#include "tensor/random.h"

namespace mini::nn {

// Values drawn from N(0, std²).
Tensor normal(const Shape& shape, double std, Generator& generator);
// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks"
// (AISTATS 2010): std = gain·sqrt(2/(fan_in + fan_out)). weight [O,I,kh,kw] or [O,I].
Tensor xavier_normal(const Shape& shape, double gain, Generator& generator);

}  // namespace mini::nn
