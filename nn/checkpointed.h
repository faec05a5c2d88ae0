// A part of a network as a checkpoint of autograd: see autograd/checkpoint.h.
#pragma once

#include <functional>

#include "nn/module.h"

namespace mini::nn {

// function(inputs), of which only `inputs` are kept for the gradient; backward evaluates it again.
// Besides its inputs the function depends on the parameters of `module` alone. It must give the same
// result twice, which BatchNorm does not while training.
Tensors checkpointed(const Module& module, const Tensors& inputs,
                     const std::function<Tensors(const Tensors&)>& function);

}  // namespace mini::nn
