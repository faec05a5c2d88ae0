// Chains of coupling layers, and how to train them without storing activations.
//
// A coupling layer (L. Dinh, D. Krueger, Y. Bengio, "NICE", 2014; L. Dinh, J. Sohl-Dickstein, S.
// Bengio, "Density estimation using Real NVP", 2016) changes one of two halves by functions of the
// other half, which stays as it is. So it can be inverted without inverting the functions:
//
//   add       y = x + N(other)                        subtract  y = x - N(other)
//   scale     y = x·e^s + G(other)                    unscale   y = (x - G(other))/e^s
//             s = 2·sigmoid(H(other)) - 1
//
// The inverse of a chain is a chain, too: the opposite layers in the opposite order.
// docs/reversible.md derives how gradients pass through a chain that stores nothing. Read next:
// models/invertible/block.h for the layers of SAIN and IRN, models/invertible/chain.cpp for the
// backward pass.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace mini::models {

// A differentiable function of one tensor [N,C,H,W] that keeps H and W. It must give the same bits
// for the same input.
struct Subnet {
  std::function<Tensor(const Tensor&)> function;
  Tensors parameters;     // the tensors that `function` depends on besides its input
  std::int64_t halo = 0;  // rows above and below that a row of the result depends on
  // A part of an image has the bits of the whole image if it begins at a multiple of this many rows.
  std::int64_t row_grid = 1;
  // Bytes of workspace, besides the result, that `function` needs for an input of this shape and
  // dtype while nothing is recorded. Empty: too few to count.
  std::function<std::size_t(const Shape&, DType)> workspace{};
};

struct Coupling {
  enum class Kind { add, subtract, scale, unscale };
  Kind kind = Kind::add;
  int changed = 0;              // the half that changes: 0 or 1
  std::vector<Subnet> subnets;  // {N}, or {H, G}

  Coupling inverse() const;
  // The new value of half x, given the results of the subnets for the other half.
  Tensor apply(const Tensor& x, const Tensors& values) const;
};

// The opposite layers in the opposite order.
std::vector<Coupling> inverse(std::span<const Coupling> chain);

// What the forward pass of a chain keeps for backward:
//   exact       one byte per changed element and layer, so that backward restores every activation
//               bit for bit from the result; gradients have the same bits as in `stored`
//   reversible  nothing; activations restored from the result differ in their last bits
//   checkpoint  the input of every layer, which is then evaluated again; same bits as `stored`
//   stored      all activations, as in ordinary autograd
// Only `checkpoint` and `stored` have second derivatives.
enum class MemoryMode { exact, reversible, checkpoint, stored };

// A tap returns half `half` as it is after `layers` layers of the chain.
struct Tap {
  std::size_t layers = 0;
  int half = 0;
  // The tap at the same place in the inverse of a chain of `length` layers.
  Tap in_inverse(std::size_t length) const { return {length - layers, half}; }
};

struct ChainOptions {
  MemoryMode memory = MemoryMode::exact;
  std::optional<Tap> tap{};
  bool log_scales = false;  // also return log_scales; implies `stored`
};

struct ChainResult {
  Tensor x1, x2;
  Tensor tapped;       // undefined without a tap
  Tensors log_scales;  // s of every scale and unscale layer, in order
};

// Runs x1 [N,C1,H,W] and x2 [N,C2,H,W] through the chain.
ChainResult run_chain(std::span<const Coupling> chain, const Tensor& x1, const Tensor& x2,
                      const ChainOptions& options = {});

}  // namespace mini::models
