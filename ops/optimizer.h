// What optimisers do to raw values: all tensors in one call, in one pass over memory.
//
// Adam (Kingma & Ba, ICLR 2015), with gradient g, moments m and v, at step t:
//   g = scale·g + weight_decay·w   (L2; AdamW instead multiplies w by 1 - lr·decay first)
//   m = β1·m + (1-β1)·g       v = β2·v + (1-β2)·g²
//   w -= lr/(1-β1ᵗ) · m / (sqrt(v)/sqrt(1-β2ᵗ) + eps)
// Read next: train/optimizer.h.
#pragma once

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::ops {

// The numbers of a step as adam_ takes them: values on the parameters' device, so that a recorded
// step can be replayed with others. float64 [slots, 4].
Tensor adam_steps(std::span<const AdamStep> steps, Device device);

// Updates the slots' parameters, means (m) and squares (v) in place. Float32 or float64, one device;
// the parameters are dense, their moments have the same memory order, gradients any.
void adam_(std::span<const AdamSlot> slots, const AdamParams& params, const Tensor& steps);

// Σx² over all elements of all tensors (at least one), accumulated in double in a fixed order:
// float64, [], on their device.
Tensor sum_of_squares(std::span<const Tensor> xs);

}  // namespace mini::ops
