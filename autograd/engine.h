// Reverse mode: backward and grad walk the graph from results to leaves.
#pragma once

#include "autograd/node.h"

namespace mini {

struct BackwardOptions {
  bool retain_graph = false;  // keep the graph, so that another walk can use it
  // Record the walk itself, for higher derivatives; implies retain_graph.
  bool create_graph = false;
  // For backward() only. Called once for each leaf that the outputs depend on, as soon as its .grad
  // is complete; the walk then continues. The leaves that no gradient reaches come last.
  std::function<void(const AutogradMeta&)> leaf_complete{};
};

// Adds d(sum of outputs · grad_outputs)/d(leaf) to the .grad of every leaf that requires a
// gradient. The gradient of an output of one element may be undefined; it is 1 then.
void backward(const Tensor& output, const Tensor& grad_output = {}, BackwardOptions options = {});
void backward(const Tensors& outputs, const Tensors& grad_outputs, BackwardOptions options = {});

// Returns d(sum of outputs · grad_outputs)/d(input) for each input, which may be a leaf or an
// intermediate result; no .grad changes. The result is undefined for an input that the outputs do
// not depend on. Only the part of the graph between outputs and inputs is walked.
Tensors grad(const Tensors& outputs, const Tensors& inputs, const Tensors& grad_outputs = {},
             BackwardOptions options = {});

}  // namespace mini
