// The catalogue: every differentiable function of mini. Tensors are NCHW; float32 or float64.
//
// Each function checks its arguments, computes with ops/, and records how to go backward with the
// functions listed here, so derivatives of any order exist unless a line says otherwise. Errors
// name the function and the shapes. tools/mini_gradcheck/ has a row for every name in this file.
#pragma once

#include <cstdint>
#include <span>

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini {

// ── Elementwise, one operand (functions/elementwise.cpp) ─────────────────────────────────────────
Tensor neg(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor abs(const Tensor& x);  // gradient 0 at 0
Tensor square(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor relu(const Tensor& x);  // gradient 0 at 0
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
Tensor softplus(const Tensor& x);                        // log(1 + e^x)
Tensor clamp(const Tensor& x, double low, double high);  // gradient 1 at the bounds
Tensor pow(const Tensor& x, double exponent);
Tensor affine(const Tensor& x, double scale, double shift);  // scale·x + shift
// round(255·clamp(x,0,1))/255; the gradient passes straight through (SAIN, eq. of Q).
Tensor quantise(const Tensor& x);

// ── Elementwise, two operands, broadcasting (functions/elementwise.cpp) ──────────────────────────
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, const Tensor& b);      // a > 0 for a gradient of b
Tensor maximum(const Tensor& a, const Tensor& b);  // equal operands share the gradient
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);  // condition: 0 selects b
// 1 or 0 in the operands' dtype; no gradient.
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, const Tensor& b);
Tensor equal(const Tensor& a, const Tensor& b);

// ── Shape (functions/shape.cpp) ──────────────────────────────────────────────────────────────────
Tensor reshape(const Tensor& x, const Shape& shape);  // one extent may be -1
Tensor permute(const Tensor& x, std::span<const int> order);
Tensor transpose(const Tensor& x, int dim0, int dim1);
Tensor expand(const Tensor& x, const Shape& shape);
Tensor narrow(const Tensor& x, int dim, std::int64_t start, std::int64_t length);
Tensor select(const Tensor& x, int dim, std::int64_t index);
Tensor squeeze(const Tensor& x, int dim);
Tensor unsqueeze(const Tensor& x, int dim);
Tensor concat(const Tensors& parts, int dim);
Tensor stack(const Tensors& parts, int dim);  // a new dimension
Tensors split(const Tensor& x, std::span<const std::int64_t> sizes, int dim);
// Zeros before and after along one dimension: the adjoint of narrow.
Tensor embed(const Tensor& x, int dim, std::int64_t start, std::int64_t size);
Tensor flip(const Tensor& x, int dim);
Tensor contiguous(const Tensor& x);
Tensor cast(const Tensor& x, DType dtype);
Tensor pixel_shuffle(const Tensor& x, std::int64_t factor);    // [N,C·f²,H,W] -> [N,C,fH,fW]
Tensor pixel_unshuffle(const Tensor& x, std::int64_t factor);  // its inverse

// ── Reductions (functions/reduce.cpp) ────────────────────────────────────────────────────────────
Tensor sum(const Tensor& x);
Tensor sum(const Tensor& x, std::span<const int> dims, bool keep_dims = false);
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, std::span<const int> dims, bool keep_dims = false);
Tensor amax(const Tensor& x, int dim, bool keep_dims = false);  // equal maxima share the gradient
Tensor argmax(const Tensor& x, int dim);                        // int64; no gradient
Tensor softmax(const Tensor& x, int dim);
Tensor log_softmax(const Tensor& x, int dim);
// Sums the broadcast dimensions of x away until it has `shape`: the adjoint of expand.
Tensor sum_to(const Tensor& x, const Shape& shape);
// int64 labels [..] -> [.., classes] of 1 and 0; no gradient.
Tensor one_hot(const Tensor& labels, std::int64_t classes, DType dtype = DType::float32);

// ── Products (functions/matmul.cpp) ──────────────────────────────────────────────────────────────
// [..,M,K] x [..,K,N] -> [..,M,N]; leading dimensions broadcast.
Tensor matmul(const Tensor& a, const Tensor& b);
// x [..,in], weight [out,in], bias [out] or undefined -> x·weightᵀ + bias [..,out]
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// ── Convolution and pooling (functions/conv.cpp, functions/pool.cpp) ─────────────────────────────
// x [N,C,H,W], weight [O,C/groups,kh,kw], bias [O] or undefined.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv2dParams& params = {});
// The adjoint of conv2d in x: x [N,O,H,W], weight [O,C/groups,kh,kw], bias [C] or undefined ->
// [N,C,H',W'], H' = (H-1)·s - 2p + d(kh-1) + output_padding + 1.
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const Conv2dParams& params = {},
                        std::array<std::int64_t, 2> output_padding = {0, 0});
// The third of the trio: the gradient of conv2d's weight (of shape `weight`) for output gradient
// dy.
Tensor conv2d_weight_gradient(const Tensor& x, const Tensor& dy, const Shape& weight,
                              const Conv2dParams& params = {});
// The dense block of IRN and SAIN (models/invertible/dense_block.h): conv k sees the input and all
// earlier features; leaky_relu(slope) after all but the last. One op because its features share one
// buffer.
Tensor dense_block(const Tensor& x, const Tensors& weights, const Tensors& biases,
                   double slope = 0.2);
Tensor max_pool2d(const Tensor& x, const Pool2dParams& params);
Tensor avg_pool2d(const Tensor& x, const Pool2dParams& params);  // zeros of the padding count

// ── Images (functions/image.cpp, functions/jpeg.cpp) ─────────────────────────────────────────────
Tensor pad2d(const Tensor& x, const Padding2d& padding, PadMode mode = PadMode::zero);
// The adjoint of pad2d, to a tensor of height x width.
Tensor pad2d_adjoint(const Tensor& x, const Padding2d& padding, PadMode mode);
// Haar transform: [N,C,H,W] -> [N,4C,H/2,W/2], band-major: means, then horizontal, vertical and
// diagonal differences, divided by 4. H and W even.
Tensor haar(const Tensor& x);
Tensor haar_inverse(const Tensor& x);
// MATLAB's imresize with the bicubic kernel a = -0.5, antialiased when shrinking, symmetric
// borders. The output's side is ceil(side · scale).
Tensor resize_bicubic(const Tensor& x, double scale);
// The differentiable JPEG simulator (ops/jpeg.h has the formula): RGB [N,3,H,W] in [0,1] of
// any size, quality 1..100. `quality` may be one number for the batch or one per image.
Tensor diff_jpeg(const Tensor& x, std::span<const double> quality);
Tensor diff_jpeg(const Tensor& x, double quality);

// ── Coupling (functions/coupling.cpp) ────────────────────────────────────────────────────────────
// The affine coupling of an invertible block, with s = 2·sigmoid(h) - 1:
Tensor coupling(const Tensor& x, const Tensor& h, const Tensor& g);          // x·exp(s) + g
Tensor coupling_inverse(const Tensor& y, const Tensor& h, const Tensor& g);  // (y - g)/exp(s)

// One value per element from a Gaussian mixture (SAIN, latent model). parameters [3,K]: logits,
// means, log-variances; exponential and normal [shape..,K]: the noise. Component chosen by
// straight-through Gumbel-softmax (tau 1, Gumbel = -log(exponential)). Gradients reach the
// parameters alone; the noise counts as constant.
Tensor sample_mixture(const Tensor& parameters, const Tensor& exponential, const Tensor& normal);

// ── Losses (functions/losses.cpp); all return one element ────────────────────────────────────────
Tensor l1_loss(const Tensor& a, const Tensor& b,
               double epsilon = 1e-6);              // batch mean of Σ sqrt(d²+ε)
Tensor l2_loss(const Tensor& a, const Tensor& b);   // batch mean of Σ d²
Tensor mse_loss(const Tensor& a, const Tensor& b);  // mean of d²
// logits [N,C,..], labels int64 [N,..]
Tensor cross_entropy(const Tensor& logits, const Tensor& labels);
Tensor bce_with_logits(const Tensor& logits, const Tensor& targets);

// ── Operators ────────────────────────────────────────────────────────────────────────────────────
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& a) { return neg(a); }
inline Tensor operator+(const Tensor& a, double b) { return affine(a, 1, b); }
inline Tensor operator-(const Tensor& a, double b) { return affine(a, 1, -b); }
inline Tensor operator*(const Tensor& a, double b) { return affine(a, b, 0); }
inline Tensor operator/(const Tensor& a, double b) { return affine(a, 1 / b, 0); }
inline Tensor operator+(double a, const Tensor& b) { return affine(b, 1, a); }
inline Tensor operator-(double a, const Tensor& b) { return affine(b, -1, a); }
inline Tensor operator*(double a, const Tensor& b) { return affine(b, a, 0); }

}  // namespace mini
