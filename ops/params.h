// The parameters of ops: small structs, which compute the shape of the result.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace mini {

// y = op(x), elementwise. `a` and `b` are the op's constants.
enum class Unary {
  neg,
  exp,
  log,
  sin,
  cos,
  sqrt,
  abs,
  sign,
  square,
  reciprocal,
  sigmoid,
  tanh,
  atan,
  relu,
  softplus,
  leaky_relu,  // a: negative slope
  clamp,       // a: low, b: high
  pow,         // x^a
  affine,      // a*x + b
  step,        // 1 where x > 0, else 0
  leaky_step,  // 1 where x > 0, else a
  inside,      // 1 where a <= x <= b, else 0
  quantise,    // round(255 clamp(x, 0, 1)) / 255
};

// y = op(a, b), elementwise with broadcasting.
enum class Binary {
  add,
  sub,
  mul,
  div,
  maximum,
  minimum,
  pow,
  greater,
  greater_equal,
  equal,  // 1 or 0, in the operands' dtype
};

enum class Reduction { sum, max };

enum class PadMode { zero, reflect, replicate };

// 2-D cross-correlation, which deep-learning frameworks call convolution.
struct Conv2dParams {
  std::array<std::int64_t, 2> stride{1, 1};
  std::array<std::int64_t, 2> padding{0, 0};
  std::array<std::int64_t, 2> dilation{1, 1};
  std::int64_t groups = 1;

  // x [N,C,H,W], w [O,C/groups,kh,kw] -> [N,O,H',W'], H' = (H + 2p - d(kh-1) - 1)/s + 1.
  // Throws an Error that names `op` if the shapes do not fit.
  Shape output_shape(const Shape& x, const Shape& w, const char* op) const;
};

struct Pool2dParams {
  std::array<std::int64_t, 2> kernel{2, 2};
  std::array<std::int64_t, 2> stride{2, 2};
  std::array<std::int64_t, 2> padding{0, 0};

  // x [N,C,H,W] -> [N,C,H',W'], H' = (H + 2p - k)/s + 1.
  Shape output_shape(const Shape& x, const char* op) const;
};

// The numbers of rows and columns added on each side of the last two dimensions.
struct Padding2d {
  std::int64_t left = 0, right = 0, top = 0, bottom = 0;
};

// upfirdn2d (ops/fir.h): zeros between the pixels, margins of zeros or, where negative, a crop, a
// filter, and every `down`-th pixel of the result.
struct FirParams {
  std::int64_t up = 1, down = 1;
  Padding2d padding;

  // x [N,C,H,W], kernel [kh,kw] -> [N,C,H',W'], H' = (H·up + top + bottom - kh)/down + 1.
  Shape output_shape(const Shape& x, const Shape& kernel) const;
  // The parameters of the adjoint, which reads images of the shape of results for an x of this
  // shape, with the kernel turned by half a turn.
  FirParams adjoint(const Shape& x, const Shape& kernel) const;
};

// How a modulated convolution (StyleGAN2) changes the sides of an image.
enum class Resampling {
  same,  // not: a margin of (k-1)/2 zeros
  down,  // stride 2 without margins
  up,    // its adjoint: sides 2·H + k - 2
};

// sum += term, in place; add_ (ops/elementwise.h) takes many of these.
struct Addition {
  Tensor sum, term;
};

// A parameter with its gradient and moments for Adam (ops/optimizer.h), all of the same shape.
struct AdamSlot {
  Tensor parameter, gradient, mean, square;
};

struct AdamParams {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0;  // L2: times the parameter, added to the gradient
};

// The numbers of Adam that change with every step.
struct AdamStep {
  double gradient_scale = 1;   // first multiplies the gradient: clipping
  double shrink = 1;           // first multiplies the parameter: decoupled weight decay
  double step_size = 0;        // lr / (1 - beta1^t)
  double root_correction = 1;  // sqrt(1 - beta2^t)
};

// A sparse linear map along one dimension: output[i] = sum over t in [first[i], first[i+1]) of
// weight[t] * input[source[t]]. A resize applies two of these; its gradient applies the transposed
// maps.
struct LinearMap {
  std::int64_t input_size = 0;
  std::vector<std::int64_t> first;  // output_size + 1 entries
  std::vector<std::int64_t> source;
  std::vector<double> weight;

  std::int64_t output_size() const { return static_cast<std::int64_t>(first.size()) - 1; }
  LinearMap transposed() const;
};

// The ways to compute a convolution that docs/convolution.md climbs (ops/ladder.h).
enum class Rung { naive, tiled, in_registers, winograd };

// Elements per block of a correction (ops/correction.h); small, so that a GPU has enough blocks.
constexpr std::int64_t correction_block = 1024;

}  // namespace mini
