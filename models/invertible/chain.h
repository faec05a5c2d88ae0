// Chains of coupling layers, and training them without storing what happens inside.
//
// A coupling layer (L. Dinh, D. Krueger, Y. Bengio, "NICE", 2014; L. Dinh, J. Sohl-Dickstein,
// S. Bengio, "Density estimation using Real NVP", 2016) changes one of two halves by functions of
// the other, which stays as it is. So it is undone without inverting the functions:
//
//   add       y = x + N(other)                        subtract  y = x - N(other)
//   scale     y = x·e^s + G(other)                    unscale   y = (x - G(other))/e^s
//             s = 2·sigmoid(H(other)) - 1
//
// The inverse of a chain is a chain as well: the opposite layers in the opposite order. docs/
// reversible.md derives how a chain goes backward with nothing stored. Read next: models/
// invertible/block.h for the layers of SAIN and IRN, models/invertible/chain.cpp for the walk back.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace mini::models {

// A differentiable function of one tensor [N,C,H,W] that keeps H and W. It must give the same bits
// whenever it gets the same input.
struct Subnet {
  std::function<Tensor(const Tensor&)> function;
  Tensors parameters;     // what the function depends on besides its input
  std::int64_t halo = 0;  // a row of the result depends on that many rows above and below it
  // Bytes that `function` takes besides its result for an input of this shape and dtype while
  // nothing is recorded. Empty: none worth counting.
  std::function<std::size_t(const Shape&, DType)> workspace{};
};

struct Coupling {
  enum class Kind { add, subtract, scale, unscale };
  Kind kind = Kind::add;
  int changed = 0;              // the half that changes: 0 or 1
  std::vector<Subnet> subnets;  // {N}, or {H, G}

  Coupling inverse() const;
  // What becomes of x in the layer, given what its subnets make of the other half.
  Tensor apply(const Tensor& x, const Tensors& values) const;
};

// The opposite layers in the opposite order.
std::vector<Coupling> inverse(std::span<const Coupling> chain);

// What a chain keeps from its forward pass for the gradient:
//   exact       per layer one byte per changed element, so that every bit of what is inside can be
//               restored from the result: gradients as in `stored`, bit for bit
//   reversible  nothing; what is restored from the result differs in its last bits
//   checkpoint  the input of every layer; its inside is evaluated again. Same bits as `stored`
//   stored      everything, as ordinary autograd does
// Only `checkpoint` and `stored` have second derivatives.
enum class MemoryMode { exact, reversible, checkpoint, stored };

// Half `half` as it is behind `layers` layers of the chain.
struct Tap {
  std::size_t layers = 0;
  int half = 0;
  // The same place in the inverse of a chain of `length` layers.
  Tap in_inverse(std::size_t length) const { return {length - layers, half}; }
};

struct ChainOptions {
  MemoryMode memory = MemoryMode::exact;
  std::optional<Tap> tap{};
  bool log_scales = false;  // also return them; implies `stored`
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
