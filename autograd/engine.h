// Reverse mode: walking the graph from results to leaves.
#pragma once

#include "autograd/node.h"

namespace mini {

struct BackwardOptions {
  bool retain_graph = false;  // keep the graph, so that it can be walked again
  bool create_graph =
      false;  // record the walk itself, for higher derivatives; implies retain_graph
  // For backward() only. Called once for each leaf that the outputs depend on, as soon as its .grad
  // holds all that the walk adds to it, while the walk goes on to others. Leaves that no gradient
  // reaches come last.
  std::function<void(const AutogradMeta&)> leaf_complete{};
};

// Adds d(sum of outputs · grad_outputs)/d(leaf) to the .grad of every leaf that requires it.
// `grad_output` may be left undefined for a single element (then 1).
void backward(const Tensor& output, const Tensor& grad_output = {}, BackwardOptions options = {});
void backward(const Tensors& outputs, const Tensors& grad_outputs, BackwardOptions options = {});

// Returns d(sum of outputs · grad_outputs)/d(input) for each input, which may be a leaf or an
// intermediate result; .grad of nothing is touched. Undefined where an input has no influence, and
// only what lies between outputs and inputs is computed.
Tensors grad(const Tensors& outputs, const Tensors& inputs, const Tensors& grad_outputs = {},
             BackwardOptions options = {});

}  // namespace mini
