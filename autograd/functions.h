// The catalogue: every differentiable function of mini. Tensors are float32 or float64; images are
// [N,C,H,W].
//
// Each function checks its arguments, computes with ops/, and records a backward function made of
// functions in this file. So derivatives of any order exist unless a comment says otherwise. Errors
// name the function and the shapes. tools/mini_gradcheck/ checks every function in this file.
#pragma once

#include <cstdint>
#include <numbers>
#include <span>

#include "ops/params.h"
#include "tensor/random.h"
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
Tensor atan(const Tensor& x);
Tensor relu(const Tensor& x);  // gradient 0 at 0
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
// x where x > 0, else slope·x; slope [C] has one value for each channel, dimension 1 of x.
Tensor prelu(const Tensor& x, const Tensor& slope);
Tensor softplus(const Tensor& x);                        // log(1 + e^x)
Tensor clamp(const Tensor& x, double low, double high);  // gradient 1 at the bounds
Tensor pow(const Tensor& x, double exponent);
Tensor affine(const Tensor& x, double scale, double shift);  // scale·x + shift
// round(255·clamp(x,0,1))/255; straight-through gradient (that of the identity), as in SAIN.
Tensor quantise(const Tensor& x);

// ── Elementwise, two operands, broadcasting (functions/elementwise.cpp) ──────────────────────────
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, const Tensor& b);      // the gradient of b needs a > 0
Tensor maximum(const Tensor& a, const Tensor& b);  // equal operands share the gradient
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);  // nonzero selects a
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
Tensor stack(const Tensors& parts, int dim);  // along a new dimension
Tensors split(const Tensor& x, std::span<const std::int64_t> sizes, int dim);
// Pads one dimension with zeros to `size`, x beginning at `start`: the adjoint of narrow.
Tensor embed(const Tensor& x, int dim, std::int64_t start, std::int64_t size);
Tensor flip(const Tensor& x, int dim);
Tensor contiguous(const Tensor& x);
Tensor cast(const Tensor& x, DType dtype);
Tensor pixel_shuffle(const Tensor& x, std::int64_t factor);    // [N,C·f²,H,W] -> [N,C,fH,fW]
Tensor pixel_unshuffle(const Tensor& x, std::int64_t factor);  // its inverse
// Repeats every pixel factor x factor times: [N,C,H,W] -> [N,C,fH,fW].
Tensor upsample_nearest(const Tensor& x, std::int64_t factor);

// ── Reductions (functions/reduce.cpp) ────────────────────────────────────────────────────────────
Tensor sum(const Tensor& x);
Tensor sum(const Tensor& x, std::span<const int> dims, bool keep_dims = false);
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, std::span<const int> dims, bool keep_dims = false);
Tensor amax(const Tensor& x, int dim, bool keep_dims = false);  // equal maxima share the gradient
Tensor argmax(const Tensor& x, int dim);                        // int64; no gradient
Tensor softmax(const Tensor& x, int dim);
Tensor log_softmax(const Tensor& x, int dim);
// Sums over the dimensions along which `shape` was broadcast to that of x: the adjoint of expand.
Tensor sum_to(const Tensor& x, const Shape& shape);
// int64 labels [..] -> [..,classes] of ones and zeros; no gradient.
Tensor one_hot(const Tensor& labels, std::int64_t classes, DType dtype = DType::float32);

// ── Matrices (functions/matmul.cpp) ──────────────────────────────────────────────────────────────
// [..,M,K] x [..,K,N] -> [..,M,N]; leading dimensions broadcast.
Tensor matmul(const Tensor& a, const Tensor& b);
// x [..,in], weight [out,in], bias [out] or undefined -> x·weightᵀ + bias [..,out]
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
// Of a square matrix [K,K]. A singular one has an inverse that is not finite, and log|det| -inf.
Tensor inverse(const Tensor& matrix);
Tensor log_abs_det(const Tensor& matrix);  // []

// ── Convolution and pooling (functions/conv.cpp, functions/pool.cpp) ─────────────────────────────
// x [N,C,H,W], weight [O,C/groups,kh,kw], bias [O] or undefined.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv2dParams& params = {});
// The adjoint of conv2d in x: x [N,O,H,W], weight [O,C/groups,kh,kw], bias [C] or undefined ->
// [N,C,H',W'], H' = (H-1)·s - 2p + d(kh-1) + output_padding + 1.
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const Conv2dParams& params = {},
                        std::array<std::int64_t, 2> output_padding = {0, 0});
// The gradient of conv2d in its weight, which has shape `weight`; dy [N,O,H',W'] is the gradient of
// the output.
Tensor conv2d_weight_gradient(const Tensor& x, const Tensor& dy, const Shape& weight,
                              const Conv2dParams& params = {});
// The dense block of IRN and SAIN (models/invertible/dense_block.h): convolution k reads the input
// and all earlier features; leaky_relu(slope) follows all but the last. It is one op so that all
// features can share one buffer.
Tensor dense_block(const Tensor& x, const Tensors& weights, const Tensors& biases,
                   double slope = 0.2);
Tensor max_pool2d(const Tensor& x, const Pool2dParams& params);
Tensor avg_pool2d(const Tensor& x, const Pool2dParams& params);  // counts the zeros of the padding
// The means of height × width windows that cover the image (PyTorch's AdaptiveAvgPool2d).
Tensor adaptive_avg_pool2d(const Tensor& x, std::int64_t height, std::int64_t width);
// y[n,c,i] = x[n,c,indices[n,c,i]] for x [N,C,H,W], int64 indices [N,C,h,w] of h·W + w.
Tensor gather_planes(const Tensor& x, const Tensor& indices);
// The adjoint: y [N,C,H,W] = `shape`, zero where no index points.
Tensor scatter_planes(const Tensor& x, const Tensor& indices, const Shape& shape);

// ── Images (functions/image.cpp, resample.cpp, jpeg.cpp)
// ─────────────────────────────────────────────
Tensor pad2d(const Tensor& x, const Padding2d& padding, PadMode mode = PadMode::zero);
// The adjoint of pad2d: [N,C,H+top+bottom,W+left+right] -> [N,C,H,W].
Tensor pad2d_adjoint(const Tensor& x, const Padding2d& padding, PadMode mode);
// Haar transform: [N,C,H,W] -> [N,4C,H/2,W/2], H and W even. Bands in order: means, then
// horizontal, vertical and diagonal differences, each the signed sum of 2x2 pixels divided by 4.
Tensor haar(const Tensor& x);
Tensor haar_inverse(const Tensor& x);
// MATLAB's imresize with the bicubic kernel a = -0.5, antialiased when shrinking, symmetric
// borders. Each side of the result is ceil(side · scale).
Tensor resize_bicubic(const Tensor& x, double scale);
// Linear interpolation between the nearest pixels, without antialiasing: [N,C,H,W] ->
// [N,C,height,width]. Pixels are squares that fill the same image before and after, or, with
// align_corners, points of which the outermost stay where they are.
Tensor resize_bilinear(const Tensor& x, std::int64_t height, std::int64_t width,
                       bool align_corners = false);
// The content-adaptive resampler (ops/resample.h): image [N,C,H,W], kernels and offsets [N,k²,h,w]
// -> [N,C,h,w]. Each result is a weighted sum of k×k places, which lie `scale` pixels apart from
// result to result and are moved by scale·offset; in between, the image is interpolated.
Tensor adaptive_resample(const Tensor& image, const Tensor& kernels, const Tensor& offsets_h,
                         const Tensor& offsets_v, std::int64_t scale);
// The differentiable JPEG simulator (ops/jpeg.h has the formula): RGB [N,3,H,W] in [0,1] of
// any size, quality 1..100. `quality` may be one number for the batch or one per image.
Tensor diff_jpeg(const Tensor& x, std::span<const double> quality);
Tensor diff_jpeg(const Tensor& x, double quality);
// An estimate of the bits that a JPEG file (4:2:0, standard Huffman tables) spends on each image of
// x, RGB [N,3,H,W] in [0,1], without the headers: [N]. Each block of 8x8 takes a constant and
// 3.15·log2(1 + |coefficient / step|), rounded off at 0, for each of its coefficients but the mean.
Tensor jpeg_bits(const Tensor& x, std::span<const double> quality);
Tensor jpeg_bits(const Tensor& x, double quality);

// ── Coupling (functions/coupling.cpp) ────────────────────────────────────────────────────────────
// The affine coupling of an invertible block, with s = 2·sigmoid(h) - 1:
Tensor coupling(const Tensor& x, const Tensor& h, const Tensor& g);          // x·exp(s) + g
Tensor coupling_inverse(const Tensor& y, const Tensor& h, const Tensor& g);  // (y - g)/exp(s)

// Draws one value per element from a Gaussian mixture of K components (SAIN, latent model).
// parameters [3,K]: logits, means, log-variances; exponential and normal [shape..,K]: the noise.
// Straight-through Gumbel-softmax chooses the component (tau 1, Gumbel = -log(exponential)). Only
// the parameters have gradients; the noise is a constant.
Tensor sample_mixture(const Tensor& parameters, const Tensor& exponential, const Tensor& normal);

// ── Generators and discriminators (functions/style.cpp) ──────────────────────────────────────────
// A finite filter between two changes of the sampling rate (ops/fir.h). The kernel is a constant.
Tensor upfirdn2d(const Tensor& x, const Tensor& kernel, const FirParams& params = {});
// scale·leaky_relu(x + bias, slope) in one pass; x [N,C,..], bias [C], slope >= 0, scale > 0.
Tensor fused_leaky_relu(const Tensor& x, const Tensor& bias, double slope = 0.2,
                        double scale = std::numbers::sqrt2);
// A convolution whose weight differs from sample to sample: x [N,C,H,W], weight [O,C,k,k], style
// [N,C]. Sample n has the weight w = weight·style[n], each output of it divided by
// sqrt(Σ w² + 1e-8) if `demodulate`.
Tensor modulated_conv2d(const Tensor& x, const Tensor& weight, const Tensor& style, bool demodulate,
                        Resampling way = Resampling::same);
Tensor pixel_norm(const Tensor& x);                // x / sqrt(mean of x² over dimension 1 + 1e-8)
Tensor l2_normalise(const Tensor& x, int dim = 1,  // x / (L2 norm along dim + epsilon)
                    double epsilon = 0);
// How much the samples of a group differ, as one more channel: [N,C,H,W] -> [N,C+1,H,W]. A group has
// g = min(4, N) samples, of which sample n is in group n mod (N/g); g must divide N. The deviation
// sqrt(variance + 1e-8) within the group is averaged over channels and pixels.
Tensor minibatch_stddev(const Tensor& x);
// Zeroes each element with probability p and divides the others by 1 - p.
Tensor dropout(const Tensor& x, double p, Generator& generator);

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
