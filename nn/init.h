// Initialisers: random tensors of a given shape, and PyTorch's defaults for a whole module.
#pragma once

#include "nn/module.h"
#include "tensor/random.h"

namespace mini::nn {

// Values from U(-bound, bound).
Tensor uniform(const Shape& shape, double bound, Generator& generator);
// Values from N(0, std²).
Tensor normal(const Shape& shape, double std, Generator& generator);
// Weights from N(0, std²) with std = gain·sqrt(2/(fan_in + fan_out)), for a weight [O,I,kh,kw] or
// [O,I] (X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
// networks", AISTATS 2010).
Tensor xavier_normal(const Shape& shape, double gain, Generator& generator);
// Weights from N(0, std²) with std = gain·sqrt(2/fan_in) (K. He, X. Zhang, S. Ren, J. Sun, "Delving
// deep into rectifiers", ICCV 2015).
Tensor kaiming_normal(const Shape& shape, double gain, Generator& generator);

// A random orthogonal matrix [size,size].
Tensor orthogonal(std::int64_t size, Generator& generator);

// What PyTorch's convolutions and linear layers start with: each weight of two or more dimensions
// in `module`, and the bias beside it, from U(-1/√fan_in, 1/√fan_in). Other parameters stay.
void initialise_as_pytorch(Module& module, Generator& generator);

}  // namespace mini::nn
