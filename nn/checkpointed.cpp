#include "nn/checkpointed.h"

#include "autograd/checkpoint.h"

namespace mini::nn {

Tensors checkpointed(const Module& module, const Tensors& inputs,
                     const std::function<Tensors(const Tensors&)>& function) {
  Tensors all = inputs;
  for (const Tensor& parameter : module.parameters()) all.push_back(parameter);
  return checkpoint(function, all);
}

}  // namespace mini::nn
