// Matrix products and inverses. For Y = A·B the gradients are dA = dY·Bᵀ and dB = Aᵀ·dY, each summed over the
// batch dimensions along which its operand was broadcast.
#include "ops/matmul.h"

#include "autograd/functions.h"
#include "autograd/node.h"
#include "ops/inverse.h"

namespace mini {

Tensor matmul(const Tensor& a, const Tensor& b) {
  const auto backward = [a = saved_for(b, a), b = saved_for(a, b), a_shape = a.shape(),
                         b_shape = b.shape()](const Backward& wanted, const Tensor& dy) -> Tensors {
    return {wanted.needs(0) ? sum_to(matmul(dy, transpose(b, -2, -1)), a_shape) : Tensor{},
            wanted.needs(1) ? sum_to(matmul(transpose(a, -2, -1), dy), b_shape) : Tensor{}};
  };
  return record("matmul", {a, b}, ops::matmul(a, b), backward);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check(x.rank() >= 1 && weight.rank() == 2 && x.size(-1) == weight.size(1),
        "linear: needs x [..,in] and weight [out,in] (x=", x.shape(), ", weight=", weight.shape(),
        ")");
  check(!bias.defined() || bias.shape() == Shape{weight.size(0)}, "linear: bias of shape ",
        bias.defined() ? bias.shape() : Shape{}, " for ", weight.size(0), " outputs");
  Shape rows{x.numel() / std::max<std::int64_t>(x.size(-1), 1), x.size(-1)};
  Shape result = x.shape();
  result[x.rank() - 1] = weight.size(0);
  const Tensor y = reshape(matmul(reshape(x, rows), transpose(weight, 0, 1)), result);
  return bias.defined() ? add(y, bias) : y;
}

// dM⁻¹ = -M⁻¹·dM·M⁻¹, and so the gradient is -M⁻ᵀ·dy·M⁻ᵀ.
Tensor inverse(const Tensor& matrix) {
  return record(
      "inverse", {matrix}, ops::inverse(matrix).matrix,
      [](const Backward& context, const Tensor& dy) {
        const Tensor transposed = transpose(context.output(), 0, 1);
        return Tensors{neg(matmul(matmul(transposed, dy), transposed))};
      },
      Save::output);
}

// d log|det M| = trace(M⁻¹·dM)
Tensor log_abs_det(const Tensor& matrix) {
  return record("log_abs_det", {matrix}, ops::inverse(matrix).log_abs_det,
                [matrix](const Backward&, const Tensor& dy) {
                  return Tensors{dy * transpose(inverse(matrix), 0, 1)};
                });
}

}  // namespace mini
