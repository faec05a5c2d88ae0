// The graph of recorded operations: one Node per operation.
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

// What a Tensor knows about gradients. All copies of the handle share it, and so do the nodes that
// have the tensor as an input.
struct AutogradMeta {
  bool requires_grad = false;  // of a leaf; an operation's result always takes part
  Tensor grad;                 // of a leaf
  std::shared_ptr<Node> node;  // the operation that made this tensor; null for a leaf
  int output = 0;              // index among the outputs of `node`
};

// The context that a backward function gets besides the gradients.
class Backward {
 public:
  // The side of the walk (autograd/engine.cpp) that nodes deliver gradients to.
  class Receiver {
   public:
    virtual ~Receiver() = default;
    // Adds a gradient of the tensor that `meta` belongs to.
    virtual void arrive(const std::shared_ptr<AutogradMeta>& meta, Tensor gradient) = 0;
    // Says that the current node has delivered all of the gradient of its input i. Called once per
    // input.
    virtual void settle(std::size_t i) = 0;
  };

  Backward(Node& node, const std::vector<bool>& needed, Receiver& receiver)
      : node_(node), needed_(needed), receiver_(receiver) {}
  // Whether the gradient of input i is wanted; otherwise the function may leave it undefined.
  bool needs(std::size_t i) const { return needed_[i]; }
  // Output i; it must have been saved (see record).
  Tensor output(std::size_t i = 0) const;
  // For a backward function that has evaluated its operation again, with recording on, from this
  // node's inputs. The walk continues at these outputs and goes through the new graph to the
  // inputs. A gradient is undefined where none arrived. The backward function returns the result of
  // replay: a list of undefined gradients, since each gradient arrives through the new graph, in
  // the same order and so with the same bits as if the operation had been recorded at first. Throws
  // when the new graph leads to a tensor that is not among the node's inputs.
  Tensors replay(const Tensors& outputs, const Tensors& grads) const;
  // Delivers the whole gradient of input i before the function returns; undefined if there is none.
  // So a node with many inputs need not hold all their gradients at once, and a completed gradient
  // can be used earlier.
  void deliver(std::size_t i, Tensor gradient) const;
  // Delivers the gradients of several inputs together, which a GPU adds in fewer launches.
  void deliver(std::span<const std::size_t> inputs, Tensors gradients) const;

 private:
  Node& node_;
  const std::vector<bool>& needed_;
  Receiver& receiver_;
};

// Takes the gradients of the outputs (undefined where none arrived) and returns the gradients of
// the inputs. It calls differentiable functions (autograd/functions.h), so that the backward pass
// can itself be recorded and differentiated.
using BackwardFunction = std::function<Tensors(const Backward&, const Tensors&)>;
// A backward function of an operation with one output.
using SimpleBackward = std::function<Tensors(const Backward&, const Tensor&)>;

class Node : public std::enable_shared_from_this<Node> {
 public:
  Node(const char* name, const Tensors& inputs, BackwardFunction backward);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const char* name() const { return name_; }
  std::uint64_t sequence() const { return sequence_; }
  std::size_t output_count() const { return outputs_.size(); }
  // Null for an input that takes no part in differentiation.
  const std::vector<std::shared_ptr<AutogradMeta>>& inputs() const { return inputs_; }

  // Calls the backward function. Throws when an earlier backward has freed the graph.
  Tensors apply(const Tensors& grads, const std::vector<bool>& needed,
                Backward::Receiver& receiver);
  // Frees the backward function and all tensors saved for it.
  void release();

 private:
  friend class Backward;
  friend Tensors record_all(const char*, const Tensors&, Tensors, BackwardFunction, bool);

  // An output saved for backward. The reference to its meta is weak, because the meta owns this
  // node.
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

// Makes `output` the recorded result of an operation on `inputs`. If grad mode is on and an input
// takes part in differentiation, `backward` will be called with the gradient of `output`; it must
// return one gradient per input. With Save::output it can use the output's values.
Tensor record(const char* name, const Tensors& inputs, Tensor output, SimpleBackward backward,
              Save save = Save::nothing);
// As `record`, for several outputs.
Tensors record_all(const char* name, const Tensors& inputs, Tensors outputs,
                   BackwardFunction backward, bool save_outputs = false);

// For the capture list of a backward function: x if the gradient of `other` can be wanted, which x
// is needed for; otherwise an undefined tensor, so that the graph does not keep x alive.
Tensor saved_for(const Tensor& other, const Tensor& x);

// Whether this thread records operations; initially true.
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
