#include "autograd/node.h"

#include <algorithm>
#include <atomic>
#include <unordered_set>
#include <utility>

namespace mini {
namespace {

thread_local bool grad_mode = true;

// Deleting a node frees the metas of its inputs, perhaps with their nodes, and so on along a chain
// of any length. To avoid deep recursion, nodes that become free during a deletion are put on a
// list.
void delete_node(Node* node) {
  thread_local std::vector<Node*> waiting;
  thread_local bool deleting = false;
  waiting.push_back(node);
  if (deleting) return;
  deleting = true;
  while (!waiting.empty()) {
    Node* next = waiting.back();
    waiting.pop_back();
    delete next;
  }
  deleting = false;
}

std::uint64_t next_sequence() {
  static std::atomic<std::uint64_t> counter{0};
  return counter.fetch_add(1, std::memory_order_relaxed);
}

bool takes_part(const Tensor& x) { return x.defined() && x.requires_grad(); }

// Every path from `outputs` must end at an input of `node`. On the way it may pass only nodes
// recorded later than `node` itself.
void check_inside(const Node& node, const Tensors& outputs) {
  std::unordered_set<const AutogradMeta*> known{nullptr};
  for (const auto& input : node.inputs()) known.insert(input.get());
  std::vector<const Node*> stack;
  const auto visit = [&](const std::shared_ptr<AutogradMeta>& meta) {
    if (!known.insert(meta.get()).second) return;
    const Node* const inside = meta->node.get();
    check(inside != nullptr && inside->sequence() > node.sequence(), node.name(),
          ": the function uses ",
          inside == nullptr ? "a leaf" : concat_text("a result of ", inside->name()),
          " that takes part in differentiation but is not among the inputs, so its gradient would "
          "be lost; list it there, or detach it");
    stack.push_back(inside);
  };
  for (const Tensor& output : outputs)
    if (takes_part(output)) visit(output.autograd());
  while (!stack.empty()) {
    const Node* const next = stack.back();
    stack.pop_back();
    for (const auto& input : next->inputs()) visit(input);
  }
}

}  // namespace

Node::Node(const char* name, const Tensors& inputs, BackwardFunction backward)
    : name_(name), sequence_(next_sequence()), backward_(std::move(backward)) {
  inputs_.reserve(inputs.size());
  for (const Tensor& input : inputs)
    inputs_.push_back(takes_part(input) ? input.autograd() : nullptr);
}

Tensors Node::apply(const Tensors& grads, const std::vector<bool>& needed,
                    Backward::Receiver& receiver) {
  check(backward_ != nullptr, name_,
        ": the graph was freed by an earlier backward; pass "
        "retain_graph to that one to walk it again");
  Tensors result = backward_(Backward(*this, needed, receiver), grads);
  check(result.size() == inputs_.size(), name_, ": backward returned ", result.size(),
        " gradients for ", inputs_.size(), " inputs");
  return result;
}

void Node::release() {
  backward_ = nullptr;
  for (Output& output : outputs_) output.value = {};
}

Tensor Backward::output(std::size_t i) const {
  Node::Output& saved = node_.outputs_[i];
  check(saved.value.defined(), node_.name(), ": backward asks for an output that was not saved");
  Tensor result = saved.value.detach();
  auto meta = saved.meta.lock();
  if (meta == nullptr) {
    // The user dropped this output and kept others of the node. It still needs a place in the
    // graph, in case this backward pass is recorded.
    meta = std::make_shared<AutogradMeta>();
    meta->node = node_.shared_from_this();
    meta->output = static_cast<int>(i);
    saved.meta = meta;
  }
  result.set_autograd(std::move(meta));
  return result;
}

Tensors Backward::replay(const Tensors& outputs, const Tensors& grads) const {
  check(outputs.size() == grads.size(), node_.name(), ": the function returned ", grads.size(),
        " outputs at first and ", outputs.size(), " when evaluated again");
  check_inside(node_, outputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!grads[i].defined() || !takes_part(outputs[i])) continue;
    check(outputs[i].shape() == grads[i].shape(), node_.name(), ": output ", i, " was ",
          grads[i].shape(), " at first and is ", outputs[i].shape(), " when evaluated again");
    receiver_.arrive(outputs[i].autograd(), grads[i]);
  }
  return Tensors(node_.inputs().size());
}

void Backward::deliver(std::size_t i, Tensor gradient) const {
  deliver({&i, 1}, Tensors{std::move(gradient)});
}

void Backward::deliver(std::span<const std::size_t> inputs, Tensors gradients) const {
  for (std::size_t k = 0; k < inputs.size(); ++k)
    if (needed_[inputs[k]] && gradients[k].defined())
      receiver_.arrive(node_.inputs()[inputs[k]], std::move(gradients[k]));
  for (const std::size_t i : inputs) receiver_.settle(i);
}

Tensors record_all(const char* name, const Tensors& inputs, Tensors outputs,
                   BackwardFunction backward, bool save_outputs) {
  if (!grad_mode || std::none_of(inputs.begin(), inputs.end(), takes_part)) return outputs;
  const std::shared_ptr<Node> node(new Node(name, inputs, std::move(backward)), delete_node);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Tensor& output = outputs[i];
    // An op may return its input unchanged, but the result needs a meta of its own.
    output = output.detach();
    auto meta = std::make_shared<AutogradMeta>();
    meta->node = node;
    meta->output = static_cast<int>(i);
    node->outputs_.push_back({save_outputs ? output.detach() : Tensor(), meta});
    output.set_autograd(std::move(meta));
  }
  return outputs;
}

Tensor record(const char* name, const Tensors& inputs, Tensor output, SimpleBackward backward,
              Save save) {
  return record_all(
      name, inputs, {std::move(output)},
      [simple = std::move(backward)](const Backward& context, const Tensors& grads) {
        return simple(context, grads[0]);
      },
      save == Save::output)[0];
}

Tensor saved_for(const Tensor& other, const Tensor& x) { return takes_part(other) ? x : Tensor(); }

bool grad_enabled() { return grad_mode; }

GradMode::GradMode(bool enabled) : previous_(std::exchange(grad_mode, enabled)) {}
GradMode::~GradMode() { grad_mode = previous_; }

// The gradient members of Tensor. tensor/tensor.h declares them; AutogradMeta is opaque there.

bool Tensor::requires_grad() const {
  const auto& meta = impl().autograd;
  return meta != nullptr && (meta->requires_grad || meta->node != nullptr);
}

Tensor& Tensor::set_requires_grad(bool value) {
  check(is_floating(dtype()), "set_requires_grad: a tensor of ", dtype(), " has no gradient");
  if (impl().autograd == nullptr) {
    if (!value) return *this;
    impl().autograd = std::make_shared<AutogradMeta>();
  }
  check(impl().autograd->node == nullptr,
        "set_requires_grad: the result of an operation always takes part; use detach()");
  impl().autograd->requires_grad = value;
  return *this;
}

Tensor Tensor::grad() const {
  const auto& meta = impl().autograd;
  return meta == nullptr ? Tensor() : meta->grad;
}

void Tensor::set_grad(Tensor grad) {
  check(impl().autograd != nullptr, "set_grad: the tensor does not require a gradient");
  check(!grad.defined() || grad.shape() == shape(), "set_grad: a gradient of shape ",
        grad.defined() ? grad.shape() : Shape(), " for a tensor of shape ", shape());
  impl().autograd->grad = std::move(grad);
}

}  // namespace mini
