// What a fused backward falls back to when the backward itself is being recorded (create_graph):
// the same function as a composition of catalogue functions, differentiated by the engine.
#pragma once

#include <functional>

#include "autograd/node.h"

namespace mini {

// The recorded gradients of composition(inputs) for output gradient dy, one per input; undefined
// for inputs that context does not need.
Tensors replay_gradients(const Backward& context, const Tensors& inputs, const Tensor& dy,
                         const std::function<Tensor(const Tensors&)>& composition);

}  // namespace mini
