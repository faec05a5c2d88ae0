// The walk keeps, for each node it has reached, the gradients of that node's outputs. It always
// takes the node with the largest sequence number next. All users of that node's outputs were
// recorded later, so they are done, and its gradients are complete.
//
// The gradient of a leaf is complete when every use of the leaf, as an input of a node, is settled.
// The uses are counted before the walk if the caller asks for leaf_complete. The gradients that a
// node adds to leaves are collected and added together, which takes a GPU one launch. All state is
// on the stack, so backward may be called inside another backward.
#include "autograd/engine.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "autograd/functions.h"
#include "ops/elementwise.h"
#include "tensor/view.h"

namespace mini {
namespace {

using Meta = std::shared_ptr<AutogradMeta>;

// Calls visit for every node reachable from `root` that is not yet known, inputs before their
// users.
template <class Visit>
void discover(const Meta& root, std::unordered_set<std::uint64_t>& known, const Visit& visit) {
  std::map<std::uint64_t, const Node*> found;  // sorted by sequence number
  std::vector<const Node*> stack;
  const auto meet = [&](const Meta& meta) {
    if (!meta || !meta->node || !known.insert(meta->node->sequence()).second) return;
    found.emplace(meta->node->sequence(), meta->node.get());
    stack.push_back(meta->node.get());
  };
  meet(root);
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    for (const Meta& input : node->inputs()) meet(input);
  }
  for (const auto& [sequence, node] : found) visit(*node);
}

// The nodes that lie on a path from an output to one of the wanted metas.
class Paths {
 public:
  Paths(const std::vector<Meta>& roots, const std::unordered_set<const AutogradMeta*>& wanted)
      : wanted_(wanted) {
    for (const Meta& root : roots) extend(root);
  }

  // Adds the part of the graph reachable from `root` that is not yet known.
  void extend(const Meta& root) {
    discover(root, known_, [&](const Node& node) {
      if (std::any_of(node.inputs().begin(), node.inputs().end(),
                      [&](const Meta& input) { return leads_to_wanted(input); }))
        useful_.insert(node.sequence());
    });
  }

  bool leads_to_wanted(const Meta& meta) const {
    return meta && (wanted_.contains(meta.get()) ||
                    (meta->node && useful_.contains(meta->node->sequence())));
  }

 private:
  const std::unordered_set<const AutogradMeta*>& wanted_;
  std::unordered_set<std::uint64_t> known_, useful_;  // sequence numbers of nodes
};

// Counts, for each leaf, the uses as an input of a node that are not yet settled.
class Uses {
 public:
  // A leaf that is itself a root has one use more, so it is reported at the end of the walk.
  explicit Uses(const std::vector<Meta>& roots) {
    for (const Meta& root : roots) {
      if (root->node == nullptr) count(root);
      extend(root);
    }
  }

  void extend(const Meta& root) {
    discover(root, known_, [&](const Node& node) {
      for (const Meta& input : node.inputs())
        if (input && input->node == nullptr) count(input);
    });
  }

  // Settles one use; returns whether the gradient of the leaf is now complete.
  bool settle(const AutogradMeta* leaf) { return --left_.at(leaf) == 0; }

  // The leaves with unsettled uses, in the order in which they were found.
  std::vector<Meta> open() const {
    std::vector<Meta> result;
    for (const Meta& leaf : leaves_)
      if (left_.at(leaf.get()) > 0) result.push_back(leaf);
    return result;
  }

 private:
  void count(const Meta& leaf) {
    auto [place, inserted] = left_.try_emplace(leaf.get(), 0);
    if (inserted) leaves_.push_back(leaf);
    ++place->second;
  }

  std::unordered_set<std::uint64_t> known_;  // sequence numbers of nodes
  std::unordered_map<const AutogradMeta*, std::size_t> left_;
  std::vector<Meta> leaves_;
};

// Whether the sum can be changed in place, because no other tensor shares its values.
bool is_own(const Tensor& sum) {
  return sum.is_unshared() && sum.is_dense() && !sum.requires_grad();
}

void accumulate(Tensor& sum, const Tensor& term, bool create_graph) {
  if (!sum.defined())
    sum = term;
  else if (create_graph)
    sum = add(sum, term);
  else if (is_own(sum))
    ops::add_(sum, term);
  else
    sum = ops::add(sum, term);
}

class Walk : public Backward::Receiver {
 public:
  Walk(BackwardOptions options, Paths* paths, const std::unordered_set<const AutogradMeta*>* wanted)
      : options_(std::move(options)),
        create_graph_(options_.create_graph),
        retain_graph_(options_.retain_graph || options_.create_graph),
        paths_(paths),
        wanted_(wanted) {}

  // Called from inside a node; `meta` may belong to a graph that the node has just recorded.
  void arrive(const Meta& meta, Tensor gradient) override {
    if (paths_ != nullptr) paths_->extend(meta);
    if (uses_) uses_->extend(meta);
    add(meta, std::move(gradient));
  }

  void settle(std::size_t i) override {
    check(!settled_[i], current_->name(), ": backward delivered the gradient of input ", i,
          " twice");
    settled_[i] = true;
    add_to_leaves();
    const Meta& input = current_->inputs()[i];
    if (uses_ && input && input->node == nullptr && uses_->settle(input.get()))
      options_.leaf_complete(*input);
  }

  // Adds a gradient of the tensor that `meta` belongs to.
  void add(const Meta& meta, Tensor gradient) {
    if (wanted_ != nullptr && wanted_->contains(meta.get()))
      accumulate(caught_[meta.get()], gradient, create_graph_);
    if (meta->node == nullptr) {
      if (wanted_ == nullptr) arrive_at_leaf(*meta, std::move(gradient));
      return;
    }
    auto [place, inserted] = pending_.try_emplace(meta->node->sequence());
    Pending& pending = place->second;
    if (inserted) {
      pending.node = meta->node;
      pending.grads.resize(meta->node->output_count());
    }
    accumulate(pending.grads[static_cast<std::size_t>(meta->output)], gradient, create_graph_);
  }

  void run(const std::vector<Meta>& roots) {
    const GradMode mode(create_graph_);
    if (options_.leaf_complete) uses_.emplace(roots);
    while (!pending_.empty()) {
      const auto last = std::prev(pending_.end());
      Pending current = std::move(last->second);
      pending_.erase(last);
      const auto& inputs = current.node->inputs();
      std::vector<bool> needed(inputs.size());
      for (std::size_t i = 0; i < inputs.size(); ++i)
        needed[i] = inputs[i] && (paths_ == nullptr || paths_->leads_to_wanted(inputs[i]));
      if (std::none_of(needed.begin(), needed.end(), [](bool need) { return need; })) continue;
      current_ = current.node.get();
      settled_.assign(inputs.size(), false);
      Tensors grads = current.node->apply(current.grads, needed, *this);
      current.grads.clear();
      if (!retain_graph_) current.node->release();
      std::vector<std::size_t> returned;  // inputs whose gradients were not delivered earlier
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const bool arrives = needed[i] && grads[i].defined();
        if (arrives) add(inputs[i], std::move(grads[i]));
        if (arrives || !settled_[i]) returned.push_back(i);
      }
      for (const std::size_t i : returned) settle(i);
    }
    add_to_leaves();
    if (uses_)
      for (const Meta& leaf : uses_->open()) options_.leaf_complete(*leaf);
  }

  Tensor caught(const AutogradMeta* meta) const {
    const auto found = caught_.find(meta);
    return found == caught_.end() ? Tensor() : found->second;
  }

 private:
  struct Pending {
    std::shared_ptr<Node> node;
    Tensors grads;  // one per output
  };

  void arrive_at_leaf(AutogradMeta& leaf, Tensor gradient) {
    if (!leaf.requires_grad) return;
    const Tensor& sum = leaf.grad;
    // ops::add_ takes additions on one device, to distinct tensors.
    if (sum.defined() && std::any_of(waiting_.begin(), waiting_.end(), [&](const Addition& other) {
          return other.sum.storage() == sum.storage() || other.sum.device() != sum.device();
        }))
      add_to_leaves();
    if (sum.defined() && !create_graph_ && is_own(sum)) {
      waiting_.push_back({sum, std::move(gradient)});
      return;
    }
    // The gradient may share its values with another tensor (an expanded view, or the caller's own
    // tensor). The leaf keeps it only if it is unshared, so that later gradients can be added in
    // place.
    if (!leaf.grad.defined() && !create_graph_ && !(gradient.is_unshared() && gradient.is_dense()))
      gradient = ops::clone(gradient);
    accumulate(leaf.grad, gradient, create_graph_);
  }

  void add_to_leaves() {
    ops::add_(waiting_);
    waiting_.clear();
  }

  BackwardOptions options_;
  bool create_graph_;
  bool retain_graph_;
  Paths* paths_;                                           // null: everything is wanted
  const std::unordered_set<const AutogradMeta*>* wanted_;  // null: collect in the leaves
  std::map<std::uint64_t, Pending> pending_;
  std::unordered_map<const AutogradMeta*, Tensor> caught_;
  std::vector<Addition> waiting_;  // additions to leaves, not yet done
  std::optional<Uses> uses_;       // if the caller asked for leaf_complete
  const Node* current_ = nullptr;
  std::vector<bool> settled_;  // the inputs of the current node
};

Tensor seed(const Tensor& output, const Tensor& given, const char* op) {
  check(output.defined() && output.requires_grad(), op,
        ": the output does not depend on a tensor that requires a gradient");
  if (given.defined()) {
    check(given.shape() == output.shape(), op, ": a gradient of shape ", given.shape(),
          " for an output of shape ", output.shape());
    check(given.device() == output.device(), op, ": a gradient on ", given.device(),
          " for an output on ", output.device());
    return given;
  }
  check(output.numel() == 1, op, ": an output of shape ", output.shape(),
        " needs a gradient; only a single element has one by default");
  return Tensor::ones(output.shape(), output.dtype(), output.device());
}

void start(Walk& walk, const Tensors& outputs, const Tensors& grad_outputs, const char* op) {
  check(grad_outputs.empty() || grad_outputs.size() == outputs.size(), op, ": ", outputs.size(),
        " outputs with ", grad_outputs.size(), " gradients");
  std::vector<Meta> roots;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    walk.add(outputs[i].autograd(),
             seed(outputs[i], grad_outputs.empty() ? Tensor() : grad_outputs[i], op));
    roots.push_back(outputs[i].autograd());
  }
  walk.run(roots);
}

}  // namespace

void backward(const Tensors& outputs, const Tensors& grad_outputs, BackwardOptions options) {
  Walk walk(std::move(options), nullptr, nullptr);
  start(walk, outputs, grad_outputs, "backward");
}

void backward(const Tensor& output, const Tensor& grad_output, BackwardOptions options) {
  backward(Tensors{output}, Tensors{grad_output}, std::move(options));
}

Tensors grad(const Tensors& outputs, const Tensors& inputs, const Tensors& grad_outputs,
             BackwardOptions options) {
  check(!options.leaf_complete, "grad: leaf_complete is an option of backward() only");
  std::unordered_set<const AutogradMeta*> wanted;
  for (const Tensor& input : inputs) {
    check(input.requires_grad(), "grad: an input does not require a gradient (shape ",
          input.shape(), ")");
    wanted.insert(input.autograd().get());
  }
  std::vector<Meta> roots;
  for (const Tensor& output : outputs) {
    check(output.defined() && output.requires_grad(),
          "grad: an output does not depend on a tensor that requires a gradient");
    roots.push_back(output.autograd());
  }
  Paths paths(roots, wanted);
  Walk walk(std::move(options), &paths, &wanted);
  start(walk, outputs, grad_outputs, "grad");
  Tensors result;
  for (const Tensor& input : inputs) result.push_back(walk.caught(input.autograd().get()));
  return result;
}

}  // namespace mini
