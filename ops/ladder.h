// One convolution, written four times, from plain to fast: what docs/convolution.md climbs and
// mini_bench ladder measures. Networks use ops/conv.h and ops/dense_block.h.
#pragma once

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::ops {

// y(o,i,j) = sum over c,a,b of w(o,c,a,b) · x(c, i+a-1, j+b-1), on this thread. x [C,H,W] and
// w [O,C,3,3], contiguous float32; y [O,H,W].
Tensor convolve_on_rung(Rung rung, const Tensor& x, const Tensor& w);

}  // namespace mini::ops
