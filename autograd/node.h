// The graph that reverse mode walks: one Node per recorded operation.
//
//   Tensor ──autograd()──▶ AutogradMeta ──node──▶ Node ──inputs()──▶ AutogradMeta of each input ...
//
// A leaf's meta has no node; its gradient is collected in `grad`. Nodes carry a sequence number
// that grows with time, so "largest number first" is a valid order of evaluation
// (autograd/engine.cpp). Read next: autograd/functions/elementwise.cpp for nodes in use, then
// autograd/engine.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "tensor/tensor.h"

namespace mini {

class Node;

// What a Tensor knows about gradients. Shared by all copies of the handle and by the nodes that use
// the tensor as an input.
struct AutogradMeta {
  bool requires_grad = false;  // of a leaf; a result of a recorded operation always takes part
  Tensor grad;                 // leaves only
  std::shared_ptr<Node> node;  // the operation that made this tensor; null for a leaf
  int output = 0;              // which of its outputs
};

// Handed to a backward function: what it may look at besides the gradients.
class Backward {
 public:
  // The walk, as a node sees it.
  class Receiver {
   public:
    virtual ~Receiver() = default;
    // Takes a gradient of the tensor that `meta` stands for.
    virtual void arrive(const std::shared_ptr<AutogradMeta>& meta, Tensor gradient) = 0;
    // Input i of the node at work gets nothing more from it. Once for each.
    virtual void settle(std::size_t i) = 0;
  };

  Backward(Node& node, const std::vector<bool>& needed, Receiver& receiver)
      : node_(node), needed_(needed), receiver_(receiver) {}
  // Whether the gradient of input i is wanted at all; it may be left undefined otherwise.
  bool needs(std::size_t i) const { return needed_[i]; }
  // Output i, if it was saved (see record).
  Tensor output(std::size_t i = 0) const;
  // For a body that has evaluated its function again, recording it, with this node's inputs: the
  // walk goes on at these outputs, through the new graph, to the inputs. A gradient is undefined
  // where none arrived. The body returns the result, which is no gradients: each arrives on its
  // own, in the order, and so with the bits, of a graph that was recorded in the first place.
  // Throws when the new graph leads to a tensor that is not among the node's inputs.
  Tensors replay(const Tensors& outputs, const Tensors& grads) const;
  // Hands in the gradient of input i ahead of the return, whole, and undefined where there is none:
  // a node with many inputs need not hold all their gradients at once, nor keep others waiting.
  void deliver(std::size_t i, Tensor gradient) const;
  // Several inputs' at once, which takes a GPU fewer and larger additions.
  void deliver(std::span<const std::size_t> inputs, Tensors gradients) const;

 private:
  Node& node_;
  const std::vector<bool>& needed_;
  Receiver& receiver_;
};

// Gradients of the outputs in (undefined where nothing arrived), gradients of the inputs out. A
// body calls functions of the catalogue, never raw kernels: it is then differentiable itself.
using BackwardFunction = std::function<Tensors(const Backward&, const Tensors&)>;
// The same for the usual case of one output.
using SimpleBackward = std::function<Tensors(const Backward&, const Tensor&)>;

class Node : public std::enable_shared_from_this<Node> {
 public:
  Node(const char* name, const Tensors& inputs, BackwardFunction backward);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const char* name() const { return name_; }
  std::uint64_t sequence() const { return sequence_; }
  std::size_t output_count() const { return outputs_.size(); }
  // Null where the input takes no part in differentiation.
  const std::vector<std::shared_ptr<AutogradMeta>>& inputs() const { return inputs_; }

  // Throws when the graph was already freed by an earlier backward.
  Tensors apply(const Tensors& grads, const std::vector<bool>& needed,
                Backward::Receiver& receiver);
  // Frees the backward function and with it all that was saved for it.
  void release();

 private:
  friend class Backward;
  friend Tensors record_all(const char*, const Tensors&, Tensors, BackwardFunction, bool);

  // An output as saved for backward: its values here, its place in the graph by a weak reference,
  // since the tensor's meta already owns this node.
  struct Output {
    Tensor value;
    std::weak_ptr<AutogradMeta> meta;
  };

  const char* name_;
  std::uint64_t sequence_;
  std::vector<std::shared_ptr<AutogradMeta>> inputs_;
  std::vector<Output> outputs_;
  BackwardFunction backward_;
};

enum class Save : bool { nothing, output };

// Makes `output` the recorded result of an operation on `inputs`: if grad mode is on and an input
// takes part in differentiation, `backward` will be called with the gradient of `output` and must
// return one gradient per input. With Save::output it can get the output's values again.
Tensor record(const char* name, const Tensors& inputs, Tensor output, SimpleBackward backward,
              Save save = Save::nothing);
// For several outputs.
Tensors record_all(const char* name, const Tensors& inputs, Tensors outputs,
                   BackwardFunction backward, bool save_outputs = false);

// For capture lists: x if it is needed for the gradient of `other` and that may be wanted; otherwise
// an undefined tensor, so that the graph does not keep x alive.
Tensor saved_for(const Tensor& other, const Tensor& x);

// Whether operations are recorded now, in this thread; on at the start.
bool grad_enabled();

// Sets grad mode for a scope.
class GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool previous_;
};

class NoGrad : public GradMode {
 public:
  NoGrad() : GradMode(false) {}
};

}  // namespace mini
