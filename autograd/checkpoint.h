// Activation checkpointing saves memory at the price of time (A. Griewank, A. Walther, "Revolve",
// ACM TOMS 26, 2000; T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep nets with sublinear
// memory cost", 2016).
//
// A checkpointed function keeps its inputs only. When backward reaches it, the function is
// evaluated a second time, with recording on, and the walk continues through the new graph
// (Backward::replay in autograd/node.h). A network of n equal layers divided into √n checkpointed
// parts holds about 2√n activations instead of n, at the price of one more forward pass.
#pragma once

#include <functional>

#include "autograd/node.h"
#include "tensor/random.h"

namespace mini {

// Returns function(inputs) as a checkpointed part of the graph. Gradients have the same bits as
// those of plain function(inputs). Higher derivatives exist, but their terms may be added in
// another order. Without grad mode this is a plain call.
//
// `inputs` must list every tensor that the function depends on and that takes part in
// differentiation, captured parameters included (the function need not read those from its
// argument). Backward throws if one is missing. Inputs may be undefined or constant; outputs may be
// undefined or of an integer type. The function must do the same each time. It may draw random
// numbers from `generator`: the second evaluation starts from the same state, and the present state
// is put back afterwards. The generator, and whatever the function captures by reference, must live
// until backward.
Tensors checkpoint(const std::function<Tensors(const Tensors&)>& function, const Tensors& inputs,
                   Generator* generator = nullptr);

}  // namespace mini
