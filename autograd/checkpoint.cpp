#include "autograd/checkpoint.h"

#include <algorithm>

namespace mini {
namespace {

bool takes_part(const Tensor& x) { return x.defined() && x.requires_grad(); }

// The outputs that can have gradients.
Tensors floating(const Tensors& outputs) {
  Tensors result;
  for (const Tensor& output : outputs)
    if (output.defined() && is_floating(output.dtype())) result.push_back(output);
  return result;
}

// Sets a generator back to `state` for a scope.
class Rewound {
 public:
  Rewound(Generator* generator, const Generator& state) : generator_(generator) {
    if (generator_ == nullptr) return;
    present_ = *generator_;
    *generator_ = state;
  }
  ~Rewound() {
    if (generator_ != nullptr) *generator_ = present_;
  }
  Rewound(const Rewound&) = delete;
  Rewound& operator=(const Rewound&) = delete;

 private:
  Generator* generator_;
  Generator present_;
};

}  // namespace

Tensors checkpoint(const std::function<Tensors(const Tensors&)>& function, const Tensors& inputs,
                   Generator* generator) {
  if (!grad_enabled()) return function(inputs);
  if (std::none_of(inputs.begin(), inputs.end(), takes_part)) {
    // Nothing needs to be kept. Grad mode stays on, so that a tensor missing from `inputs` is
    // found.
    Tensors outputs = function(inputs);
    check(std::none_of(outputs.begin(), outputs.end(), takes_part),
          "checkpoint: the function uses a tensor that takes part in differentiation, but none of "
          "the inputs does; list it there, or detach it");
    return outputs;
  }
  // An input that is a constant now stays one, even if it is made to require a gradient later.
  Tensors kept = inputs;
  for (Tensor& input : kept)
    if (input.defined() && !input.requires_grad()) input = input.detach();
  const Generator state = generator == nullptr ? Generator() : *generator;
  Tensors outputs;
  {
    const NoGrad guard;
    outputs = function(kept);
  }
  const Tensors recorded =
      record_all("checkpoint", inputs, floating(outputs),
                 [function, kept, generator, state](const Backward& context, const Tensors& grads) {
                   const auto evaluate_again = [&] {
                     const Rewound rewound(generator, state);
                     const GradMode recording(true);
                     return floating(function(kept));
                   };
                   return context.replay(evaluate_again(), grads);
                 });
  auto next = recorded.begin();
  for (Tensor& output : outputs)
    if (output.defined() && is_floating(output.dtype())) output = *next++;
  return outputs;
}

}  // namespace mini
