// What optimisers do to raw values, in one pass over memory.
//
// Adam (Kingma & Ba, ICLR 2015), with gradient g, moments m and v, at step t:
//   g += weight_decay·w                       (L2; AdamW instead multiplies w by 1 - lr·decay
//   first) m = β1·m + (1-β1)·g       v = β2·v + (1-β2)·g² w -= lr/(1-β1ᵗ) · m /
//   (sqrt(v)/sqrt(1-β2ᵗ) + eps)
// Read next: train/optimizer.h.
#pragma once

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::ops {

// Updates parameter, mean (m) and square (v) in place. Float32 or float64, shapes and dtypes equal,
// any memory order.
void adam_(const Tensor& parameter, const Tensor& gradient, const Tensor& mean,
           const Tensor& square, const AdamStep& step);

// Σx², accumulated in double in a fixed order.
double sum_of_squares(const Tensor& x);

}  // namespace mini::ops
