#include "autograd/replay.h"

#include "autograd/engine.h"
#include "autograd/functions.h"

namespace mini {

Tensors replay_gradients(const Backward& context, const Tensors& inputs, const Tensor& dy,
                         const std::function<Tensor(const Tensors&)>& composition) {
  // Views have a place of their own in the graph: where two inputs are one tensor, each still gets
  // its own share of the gradient.
  Tensors views, wanted;
  for (const Tensor& input : inputs) views.push_back(reshape(input, input.shape()));
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (context.needs(i)) wanted.push_back(views[i]);
  const Tensors gradients = grad({composition(views)}, wanted, {dy}, {.create_graph = true});
  Tensors result(inputs.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (context.needs(i)) result[i] = gradients[next++];
  return result;
}

}  // namespace mini
