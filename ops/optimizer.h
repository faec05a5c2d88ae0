// The arithmetic of optimisers. One call updates all tensors, in one pass over memory.
//
// Adam (Kingma & Ba, ICLR 2015), with gradient g, moments m and v, at step t:
//   g = scale·g + weight_decay·w   (L2; AdamW instead multiplies w by 1 - lr·decay first)
//   m = β1·m + (1-β1)·g       v = β2·v + (1-β2)·g²
//   w -= lr/(1-β1ᵗ) · m / (sqrt(v)/sqrt(1-β2ᵗ) + eps)
// Read next: nn/optimizer.h.
#pragma once

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::ops {

// The numbers of a step, for adam_: float64 [slots,4] on the parameters' device, so that a captured
// step can be replayed with new values.
Tensor adam_steps(std::span<const AdamStep> steps, Device device);

// Updates the parameters, means (m) and squares (v) of all slots in place. Tensors are float32 or
// float64, on one device. A parameter must be dense, and its moments must have the same memory
// order; its gradient may have any strides.
void adam_(std::span<const AdamSlot> slots, const AdamParams& params, const Tensor& steps);

// Σx² over all elements of all tensors (at least one), accumulated in double in a fixed order:
// float64 [] on their device.
Tensor sum_of_squares(std::span<const Tensor> xs);

}  // namespace mini::ops
