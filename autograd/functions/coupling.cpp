// The affine coupling with gradients. A fused kernel computes the first derivative; when backward
// is itself recorded, the same formulas are composed of functions of the catalogue.
#include "ops/coupling.h"

#include "autograd/functions.h"
#include "autograd/node.h"

namespace mini {
namespace {

// s and ds/dh, as in ops/functors_coupling.h.
struct LogScale {
  explicit LogScale(const Tensor& h) : gate(sigmoid(h)), value(gate * 2.0 - 1.0) {}
  Tensor slope() const { return (gate - square(gate)) * 2.0; }
  Tensor gate, value;
};

}  // namespace

Tensor coupling(const Tensor& x, const Tensor& h, const Tensor& g) {
  return record("coupling", {x, h, g}, ops::coupling(x, h, g),
                [x, h](const Backward&, const Tensor& dy) -> Tensors {
                  if (!grad_enabled()) {
                    const auto [dx, dh] = ops::coupling_gradient(dy, x, h);
                    return {dx, dh, dy};
                  }
                  const LogScale s(h);
                  const Tensor dx = dy * exp(s.value);
                  return {dx, dx * x * s.slope(), dy};
                });
}

Tensor coupling_inverse(const Tensor& y, const Tensor& h, const Tensor& g) {
  return record(
      "coupling_inverse", {y, h, g}, ops::coupling_inverse(y, h, g),
      [h](const Backward& context, const Tensor& dx) -> Tensors {
        const Tensor x = context.output();
        if (!grad_enabled()) {
          const auto [dy, dh] = ops::coupling_inverse_gradient(dx, x, h);
          return {dy, dh, context.needs(2) ? neg(dy) : Tensor()};
        }
        const LogScale s(h);
        const Tensor dy = dx * exp(neg(s.value));
        return {dy, neg(dx * x * s.slope()), neg(dy)};
      },
      Save::output);
}

}  // namespace mini
