#include "nn/module.h"

#include <algorithm>

#include "autograd/node.h"
#include "nn/rows.h"
#include "tensor/view.h"

namespace mini::nn {

Tensor& Module::register_parameter(const std::string& name, Tensor& parameter) {
  parameter.set_requires_grad();
  parameters_.emplace_back(name, &parameter);
  return parameter;
}

Tensor& Module::register_buffer(const std::string& name, Tensor& buffer) {
  buffers_.emplace_back(name, &buffer);
  return buffer;
}

void Module::register_module(const std::string& name, Module& child) {
  children_.emplace_back(name, &child);
}

template <class Visit>
void Module::visit(const std::string& prefix, bool buffers, const Visit& each) const {
  for (const auto& [name, tensor] : buffers ? buffers_ : parameters_) each(prefix + name, *tensor);
  for (const auto& [name, child] : children_) child->visit(prefix + name + '.', buffers, each);
}

std::vector<NamedTensor> Module::named_parameters() const {
  std::vector<NamedTensor> result;
  visit("", false, [&](std::string name, const Tensor& tensor) {
    result.push_back({std::move(name), tensor});
  });
  return result;
}

std::vector<NamedTensor> Module::named_buffers() const {
  std::vector<NamedTensor> result;
  visit("", true, [&](std::string name, const Tensor& tensor) {
    result.push_back({std::move(name), tensor});
  });
  return result;
}

Tensors Module::parameters() const {
  Tensors result;
  visit("", false, [&](const std::string&, const Tensor& tensor) { result.push_back(tensor); });
  return result;
}

std::int64_t Module::parameter_count() const {
  std::int64_t count = 0;
  visit("", false, [&](const std::string&, const Tensor& tensor) { count += tensor.numel(); });
  return count;
}

StateDict Module::state_dict() const {
  StateDict result;
  const auto add = [&](std::string name, const Tensor& tensor) {
    result.emplace(std::move(name), tensor.detach());
  };
  visit("", false, add);
  visit("", true, add);
  return result;
}

Module::Mismatch Module::load_state_dict(const StateDict& state, bool strict) {
  const StateDict own = state_dict();
  Mismatch mismatch;
  std::string wrong_shape;  // the first one
  for (const auto& [name, tensor] : own) {
    const auto given = state.find(name);
    if (given == state.end()) {
      mismatch.missing.push_back(name);
      continue;
    }
    if (given->second.shape() != tensor.shape() && wrong_shape.empty())
      wrong_shape = concat_text(name, " has shape ", given->second.shape(),
                                " in the file, this model's is ", tensor.shape());
  }
  for (const auto& [name, tensor] : state)
    if (!own.contains(name)) mismatch.unexpected.push_back(name);

  if (strict && !(mismatch.missing.empty() && mismatch.unexpected.empty())) {
    const auto first_few = [](const std::vector<std::string>& names) {
      std::string text;
      for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 3); ++i)
        text += (i > 0 ? ", " : "") + names[i];
      return names.empty() ? "none" : names.size() > 3 ? text + ", ..." : text;
    };
    fail("load_state_dict: the weights are of another model: ", mismatch.missing.size(),
         " missing (", first_few(mismatch.missing), "), ", mismatch.unexpected.size(),
         " unexpected (", first_few(mismatch.unexpected), ")",
         wrong_shape.empty() ? "" : "; " + wrong_shape);
  }
  check(wrong_shape.empty(), "load_state_dict: ", wrong_shape);
  for (const auto& [name, tensor] : own)
    if (const auto given = state.find(name); given != state.end()) ops::copy(given->second, tensor);
  return mismatch;
}

// Replaces every parameter and buffer by convert(tensor).
template <class Convert>
void Module::replace(const Convert& convert) {
  for (auto* list : {&parameters_, &buffers_})
    for (auto& [name, tensor] : *list) {
      const bool trainable = tensor->requires_grad();
      *tensor = convert(tensor->detach());
      if (trainable) tensor->set_requires_grad();
    }
  for (auto& [name, child] : children_) child->replace(convert);
}

void Module::to(DType dtype) {
  replace([dtype](const Tensor& tensor) {
    return is_floating(tensor.dtype()) ? ops::cast(tensor, dtype) : tensor;
  });
}

void Module::to(Device device) {
  replace([device](const Tensor& tensor) { return ops::to_device(tensor, device); });
}

void Module::zero_grad() {
  visit("", false, [](const std::string&, Tensor tensor) {
    if (tensor.requires_grad()) tensor.set_grad({});
  });
}

void Module::set_requires_grad(bool value) {
  visit("", false, [&](const std::string&, Tensor tensor) { tensor.set_requires_grad(value); });
}

void Module::set_training(bool training) {
  training_ = training;
  for (auto& [name, child] : children_) child->set_training(training);
}

std::unique_ptr<RowLayer> Layer::rows(const Shape& /*input*/, DType /*dtype*/) const {
  return nullptr;
}

}  // namespace mini::nn
