// A whole chain of coupling layers as one node. Its backward goes through the layers from last to
// first and holds the two halves and their gradients. At each layer it evaluates every subnet once,
// on the half that the layer did not change. This evaluation serves the gradient, and also the
// layer's inverse, which restores the other half. So the activations of at most one subnet are
// alive at a time.
//
// Exact mode. In floating point, (x + f) - f need not equal x. The forward pass knows both y and f,
// so it computes the estimate of x that backward will compute from them, and keeps a correction
// that leads from the estimate to x (ops/correction.h). A subnet gives the same bits for the same
// input, so backward computes the same estimate and restores x bit for bit.
#include "models/invertible/chain.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "autograd/checkpoint.h"
#include "autograd/engine.h"
#include "autograd/functions.h"
#include "autograd/node.h"
#include "ops/correction.h"
#include "ops/coupling.h"
#include "ops/elementwise.h"

namespace mini::models {
namespace {

using Kind = Coupling::Kind;
using Halves = std::array<Tensor, 2>;

Kind opposite(Kind kind) {
  switch (kind) {
    case Kind::add:
      return Kind::subtract;
    case Kind::subtract:
      return Kind::add;
    case Kind::scale:
      return Kind::unscale;
    case Kind::unscale:
      return Kind::scale;
  }
  fail("coupling: no such kind");
}

// The formula of a layer, given the results of its subnets for the other half.
Tensor apply(Kind kind, const Tensor& x, const Tensors& subnets) {
  switch (kind) {
    case Kind::add:
      return add(x, subnets[0]);
    case Kind::subtract:
      return sub(x, subnets[0]);
    case Kind::scale:
      return coupling(x, subnets[0], subnets[1]);
    case Kind::unscale:
      return coupling_inverse(x, subnets[0], subnets[1]);
  }
  fail("coupling: no such kind");
}

// Evaluates the subnets of a layer in the opposite of the order in which Walk, below, needs them.
// Backward through recorded subnets then adds their gradients in the same order as Walk, and all
// memory modes give the same bits.
Tensors evaluate(const Coupling& layer, const Tensor& other) {
  const std::vector<Subnet>& subnets = layer.subnets;
  Tensors results(subnets.size());
  const bool last_first = layer.kind == Kind::unscale;
  for (std::size_t i = 0; i < subnets.size(); ++i) {
    const std::size_t k = last_first ? subnets.size() - 1 - i : i;
    results[k] = subnets[k].function(other);
  }
  return results;
}

void append_parameters(const Coupling& layer, Tensors& list) {
  for (const Subnet& subnet : layer.subnets)
    list.insert(list.end(), subnet.parameters.begin(), subnet.parameters.end());
}

// What the node keeps for backward.
struct Kept {
  std::vector<Coupling> chain;
  Halves result;
  std::vector<ops::Correction> corrections;  // one per layer in exact mode, otherwise empty
  std::optional<Tap> tap;
};

// A subnet evaluated on a restored input, with the graph of that evaluation.
class Evaluation {
 public:
  Evaluation(const Subnet& subnet, const Tensor& input, bool input_gradient)
      : input_(input.detach()) {
    const GradMode recorded(true);
    if (input_gradient) input_.set_requires_grad();
    output_ = subnet.function(input_);
  }
  Tensor value() const { return output_.detach(); }
  const Tensor& input() const { return input_; }
  // Walks the graph, which is freed.
  Tensors gradients(const Tensors& of, const Tensor& dy) const { return grad({output_}, of, {dy}); }

 private:
  Tensor input_, output_;
};

// The backward pass, from the last layer to the first.
class Walk {
 public:
  Walk(const Kept& kept, const Backward& context, Halves gradients)
      : kept_(kept), context_(context), value_(kept.result), gradient_(std::move(gradients)) {
    std::size_t input = 2;
    for (const Coupling& layer : kept.chain) {
      first_parameter_.push_back(input);
      for (const Subnet& subnet : layer.subnets) input += subnet.parameters.size();
    }
    input_count_ = input;
  }

  // Returns the gradients of x1 and x2. Those of the parameters are delivered on the way.
  Tensors run(const Tensor& tapped_gradient) {
    for (std::size_t k = kept_.chain.size();; --k) {
      if (kept_.tap && kept_.tap->layers == k) add_gradient(kept_.tap->half, tapped_gradient);
      if (k == 0) break;
      undo(k - 1);
    }
    Tensors result(input_count_);
    result[0] = gradient_[0];
    result[1] = gradient_[1];
    return result;
  }

 private:
  // Replaces the values and gradients after layer k by those before it.
  void undo(std::size_t k) {
    const Coupling& layer = kept_.chain[k];
    const auto changed = static_cast<std::size_t>(layer.changed);
    Tensor &value = value_[changed], &d = gradient_[changed];
    Tensors subnets(layer.subnets.size());
    switch (layer.kind) {
      case Kind::add:
      case Kind::subtract: {
        const Evaluation n = evaluate(k, 0);
        value = restore(k, value, {n.value()});
        if (d.defined()) pull_back(n, k, 0, layer.kind == Kind::add ? d : neg(d));
        break;
      }
      case Kind::scale: {  // dg = dy; dh needs x, and restoring x needs g
        {
          const Evaluation g = evaluate(k, 1);
          subnets[1] = g.value();
          if (d.defined()) pull_back(g, k, 1, d);
        }
        const Evaluation h = evaluate(k, 0);
        subnets[0] = h.value();
        value = restore(k, value, subnets);
        if (d.defined()) {
          auto [dx, dh] = ops::coupling_gradient(d, value, subnets[0]);
          d = std::move(dx);
          pull_back(h, k, 0, dh);
        }
        break;
      }
      case Kind::unscale: {  // dh needs the layer's result, which is at hand; dg = -dx
        {
          const Evaluation h = evaluate(k, 0);
          subnets[0] = h.value();
          if (d.defined()) {
            auto [dx, dh] = ops::coupling_inverse_gradient(d, value, subnets[0]);
            d = std::move(dx);
            pull_back(h, k, 0, dh);
          }
        }
        const Evaluation g = evaluate(k, 1);
        subnets[1] = g.value();
        value = restore(k, value, subnets);
        if (d.defined()) pull_back(g, k, 1, neg(d));
        break;
      }
    }
  }

  Evaluation evaluate(std::size_t k, std::size_t subnet) const {
    const Coupling& layer = kept_.chain[k];
    const std::size_t other = 1 - static_cast<std::size_t>(layer.changed);
    return {layer.subnets[subnet], value_[other], gradient_wanted(k, other)};
  }

  // Whether the gradient of this half is needed before layer k.
  bool gradient_wanted(std::size_t k, std::size_t half) const {
    return context_.needs(half) ||
           std::any_of(kept_.chain.begin(), kept_.chain.begin() + static_cast<std::ptrdiff_t>(k),
                       [&](const Coupling& layer) {
                         return static_cast<std::size_t>(layer.changed) == half;
                       });
  }

  Tensor restore(std::size_t k, const Tensor& y, const Tensors& subnets) const {
    Tensor estimate = apply(opposite(kept_.chain[k].kind), y, subnets);
    if (kept_.corrections.empty()) return estimate;
    return ops::corrected(std::move(estimate), kept_.corrections[k]);
  }

  // Propagates the gradient dn of a subnet's result to the subnet's parameters and input.
  void pull_back(const Evaluation& evaluation, std::size_t k, std::size_t subnet,
                 const Tensor& dn) {
    const Coupling& layer = kept_.chain[k];
    std::size_t parameter = first_parameter_[k];
    for (std::size_t i = 0; i < subnet; ++i) parameter += layer.subnets[i].parameters.size();

    Tensors wanted;
    std::vector<std::size_t> places;
    for (const Tensor& tensor : layer.subnets[subnet].parameters) {
      if (context_.needs(parameter)) {
        wanted.push_back(tensor);
        places.push_back(parameter);
      }
      ++parameter;
    }
    const bool input_wanted = evaluation.input().requires_grad();
    if (input_wanted) wanted.push_back(evaluation.input());
    if (wanted.empty()) return;
    Tensors gradients = evaluation.gradients(wanted, dn);
    if (input_wanted) {
      add_gradient(1 - layer.changed, gradients.back());
      gradients.pop_back();
    }
    context_.deliver(places, std::move(gradients));
  }

  void add_gradient(int half, const Tensor& term) {
    Tensor& sum = gradient_[static_cast<std::size_t>(half)];
    if (term.defined()) sum = sum.defined() ? ops::add(sum, term) : term;
  }

  const Kept& kept_;
  const Backward& context_;
  Halves value_, gradient_;
  std::vector<std::size_t> first_parameter_;  // of each layer, as an index of the node's inputs
  std::size_t input_count_ = 0;
};

// Runs the layers one by one, as functions of the catalogue.
ChainResult run_layers(std::span<const Coupling> chain, const Tensor& x1, const Tensor& x2,
                       const ChainOptions& options) {
  Halves x{x1, x2};
  ChainResult result;
  for (std::size_t k = 0;; ++k) {
    if (options.tap && options.tap->layers == k) {
      // The tapped half gets a node of its own, so that gradients are added in the order of
      // Walk::run: the gradients from the users of the tap first, then their sum to the gradient
      // from the layers.
      const Tensor& here = x[static_cast<std::size_t>(options.tap->half)];
      result.tapped = reshape(here, here.shape());
    }
    if (k == chain.size()) break;
    const Coupling& layer = chain[k];
    const auto changed = static_cast<std::size_t>(layer.changed);
    if (options.memory == MemoryMode::checkpoint && !options.log_scales) {
      Tensors inputs{x[changed], x[1 - changed]};
      append_parameters(layer, inputs);
      x[changed] = checkpoint(
          [layer](const Tensors& in) {
            return Tensors{apply(layer.kind, in[0], evaluate(layer, in[1]))};
          },
          inputs)[0];
      continue;
    }
    const Tensors subnets = evaluate(layer, x[1 - changed]);
    if (options.log_scales && subnets.size() == 2)
      result.log_scales.push_back(affine(sigmoid(subnets[0]), 2, -1));
    x[changed] = apply(layer.kind, x[changed], subnets);
  }
  result.x1 = x[0];
  result.x2 = x[1];
  return result;
}

// Runs the chain and records it as one node.
ChainResult record_chain(std::span<const Coupling> chain, const Tensor& x1, const Tensor& x2,
                         const ChainOptions& options) {
  Tensors inputs{x1, x2};
  for (const Coupling& layer : chain) append_parameters(layer, inputs);
  if (std::none_of(inputs.begin(), inputs.end(), [](const Tensor& x) { return x.requires_grad(); }))
    return run_layers(chain, x1, x2, options);
  const auto kept = std::make_shared<Kept>();
  kept->chain.assign(chain.begin(), chain.end());
  kept->tap = options.tap;

  Halves x{x1.detach(), x2.detach()};
  Tensor tapped;
  {
    const NoGrad nothing_recorded;
    for (std::size_t k = 0;; ++k) {
      if (options.tap && options.tap->layers == k)
        tapped = x[static_cast<std::size_t>(options.tap->half)];
      if (k == chain.size()) break;
      const auto changed = static_cast<std::size_t>(chain[k].changed);
      const Tensors subnets = evaluate(chain[k], x[1 - changed]);
      Tensor y = apply(chain[k].kind, x[changed], subnets);
      if (options.memory == MemoryMode::exact)
        kept->corrections.push_back(
            ops::correction(x[changed], apply(opposite(chain[k].kind), y, subnets)));
      x[changed] = std::move(y);
    }
  }
  kept->result = x;
  Tensors outputs{x[0], x[1]};
  if (tapped.defined()) outputs.push_back(tapped);
  outputs =
      record_all("reversible_chain", inputs, std::move(outputs),
                 [kept](const Backward& context, const Tensors& gradients) {
                   check(!grad_enabled(),
                         "reversible_chain: has no second derivative in the memory modes exact and "
                         "reversible; choose stored or checkpoint");
                   return Walk(*kept, context, {gradients[0], gradients[1]})
                       .run(kept->tap ? gradients[2] : Tensor());
                 });
  return {outputs[0], outputs[1], options.tap ? outputs[2] : Tensor(), {}};
}

}  // namespace

Coupling Coupling::inverse() const { return {opposite(kind), changed, subnets}; }

Tensor Coupling::apply(const Tensor& x, const Tensors& values) const {
  return models::apply(kind, x, values);
}

std::vector<Coupling> inverse(std::span<const Coupling> chain) {
  std::vector<Coupling> result;
  for (auto layer = chain.rbegin(); layer != chain.rend(); ++layer)
    result.push_back(layer->inverse());
  return result;
}

ChainResult run_chain(std::span<const Coupling> chain, const Tensor& x1, const Tensor& x2,
                      const ChainOptions& options) {
  for (const Coupling& layer : chain) {
    const bool affine = layer.kind == Kind::scale || layer.kind == Kind::unscale;
    check(
        (layer.changed == 0 || layer.changed == 1) && layer.subnets.size() == (affine ? 2 : 1),
        "run_chain: a layer changes half 0 or 1 and has one subnet, or two if it scales; got half ",
        layer.changed, " and ", layer.subnets.size(), " subnets");
  }
  check(!options.tap || options.tap->layers <= chain.size(), "run_chain: a tap after ",
        options.tap ? options.tap->layers : 0, " layers of ", chain.size());
  const bool one_node =
      options.memory == MemoryMode::exact || options.memory == MemoryMode::reversible;
  if (!one_node || options.log_scales || !grad_enabled()) return run_layers(chain, x1, x2, options);
  return record_chain(chain, x1, x2, options);
}

}  // namespace mini::models
