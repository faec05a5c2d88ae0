// The dense block with gradients. float32 uses fused kernels; float64 and higher derivatives use
// the composition that these kernels implement.
#include "ops/dense_block.h"

#include <algorithm>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "ops/elementwise.h"
#include "tensor/view.h"

namespace mini {
namespace {

const Conv2dParams same_size{.padding = {1, 1}};

// The input cat(x, f_1 .. f_{k-1}) of each convolution k, and the result.
struct Composed {
  Tensors inputs;
  Tensor y;
};

Composed compose(const Tensor& x, const Tensors& weights, const Tensors& biases, double slope) {
  Composed result;
  Tensor seen = x;
  for (std::size_t k = 0; k < weights.size(); ++k) {
    result.inputs.push_back(seen);
    const Tensor z = conv2d(seen, weights[k], biases[k], same_size);
    if (k + 1 == weights.size())
      result.y = z;
    else
      seen = concat({seen, leaky_relu(z, slope)}, 1);
  }
  return result;
}

// Gradients of x, the weights and the biases, composed of functions of the catalogue.
Tensors composed_gradient(const Tensor& x, const Tensors& weights, const Tensors& biases,
                          double slope, const Tensor& dy) {
  const Tensors inputs = compose(x, weights, biases, slope).inputs;
  const std::size_t count = weights.size();
  Tensors grads(1 + 2 * count);
  Tensor g = dy;    // gradient of the output of convolution k
  Tensor arriving;  // gradient of its input, from convolution k and all later ones
  for (std::size_t k = count; k-- > 0;) {
    const Tensor& seen = inputs[k];
    if (k + 1 < count) {
      // Separate the gradient of f_k. leaky_relu's derivative is a step, whose own derivative is 0.
      const std::int64_t channels = seen.size(1), added = weights[k].size(0);
      const Tensor f = ops::narrow(inputs[k + 1].detach(), 1, channels, added);
      g = narrow(arriving, 1, channels, added) * ops::unary(Unary::leaky_step, f, slope);
      arriving = narrow(arriving, 1, 0, channels);
    }
    const int dims[] = {0, 2, 3};
    grads[1 + k] = conv2d_weight_gradient(seen, g, weights[k].shape(), same_size);
    grads[1 + count + k] = sum(g, dims);
    const Tensor from_here = conv_transpose2d(g, weights[k], {}, same_size);
    arriving = k + 1 < count ? arriving + from_here : from_here;
  }
  grads[0] = arriving;
  return grads;
}

}  // namespace

Tensor dense_block(const Tensor& x, const Tensors& weights, const Tensors& biases, double slope) {
  Tensors inputs{x};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  inputs.insert(inputs.end(), biases.begin(), biases.end());

  Tensor y, features;
  const bool fused = x.dtype() != DType::float64;
  if (fused) {
    // The features are kept only if backward can be called.
    const bool recording =
        grad_enabled() && std::any_of(inputs.begin(), inputs.end(),
                                      [](const Tensor& input) { return input.requires_grad(); });
    y = ops::dense_block(x, weights, biases, slope, recording ? &features : nullptr);
  } else {
    check(!weights.empty() && weights.size() == biases.size(), "dense_block: ", weights.size(),
          " weights but ", biases.size(), " biases; needs as many, and at least one");
    const NoGrad guard;
    y = compose(x, weights, biases, slope).y;
  }
  return record("dense_block", inputs, y, [=](const Backward& context, const Tensor& dy) {
    if (!fused || grad_enabled()) return composed_gradient(x, weights, biases, slope, dy);
    ops::DenseBlockWanted wanted{.dx = context.needs(0), .parameters = false};
    for (std::size_t i = 1; i <= 2 * weights.size(); ++i) wanted.parameters |= context.needs(i);
    ops::DenseBlockGradient d = ops::dense_block_gradient(features, weights, dy, slope, wanted);
    Tensors grads{d.dx};
    d.dw.resize(weights.size());
    d.db.resize(weights.size());
    grads.insert(grads.end(), d.dw.begin(), d.dw.end());
    grads.insert(grads.end(), d.db.begin(), d.db.end());
    return grads;
  });
}

}  // namespace mini
