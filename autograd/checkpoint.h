// Activation checkpointing: memory for time (A. Griewank, A. Walther, "Revolve", ACM TOMS 26, 2000;
// T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep nets with sublinear memory cost", 2016).
//
// Of what happens inside a checkpointed function only the inputs are kept. When backward comes to
// it, the function is evaluated a second time, now recorded, and the walk goes on through what was
// recorded (Backward::replay in autograd/node.h). A network of n equal layers cut into √n
// checkpointed parts holds about 2√n activations instead of n, for one more forward pass.
#pragma once

#include <functional>

#include "autograd/node.h"
#include "tensor/random.h"

namespace mini {

// function(inputs), kept as described. Gradients have the bits that plain function(inputs) gives
// (higher derivatives exist; their parts may add up in another order). Without grad mode it is just
// that.
//
// `inputs` lists all that the function depends on and that takes part in differentiation, captured
// parameters included (the function need not read them from its argument); what is missing there is
// an error, in backward. Undefined tensors and constants are welcome, as are undefined and integer
// outputs. The function must do the same each time: it may draw from `generator`, whose state is
// then kept for the second evaluation and is afterwards as if that had not been. What the function
// captures by reference, and the generator, must live until backward.
Tensors checkpoint(const std::function<Tensors(const Tensors&)>& function, const Tensors& inputs,
                   Generator* generator = nullptr);

}  // namespace mini
