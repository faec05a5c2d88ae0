// Module: a named tree of parameters and buffers. Names are PyTorch's ("down_operations.0.F.conv1
// .weight"), so its state dicts load as they are.
//
// A module holds Tensor members and registers each under its name; children are members too,
// registered by reference:
//   struct Linear : Module {
//     Tensor weight, bias;
//     Linear(...) { register_parameter("weight", weight = ...); register_parameter("bias", bias =
//     ...); }
//   };
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace mini::nn {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// Name -> tensor, sorted by name.
using StateDict = std::map<std::string, Tensor>;

class Module {
 public:
  Module() = default;
  // Children are registered by address, so a module stays where it was made.
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  // In order of registration, depth first.
  std::vector<NamedTensor> named_parameters() const;
  std::vector<NamedTensor> named_buffers() const;
  Tensors parameters() const;
  std::int64_t parameter_count() const;  // trainable elements

  // Parameters and buffers, sharing their values.
  StateDict state_dict() const;
  // Copies values in, converting the dtype. Nothing changes unless everything fits. Strict: each
  // name must be there and no other; the error names the first missing and unexpected ones and
  // wrong shapes. Not strict: what is missing or unexpected is returned.
  struct Mismatch {
    std::vector<std::string> missing, unexpected;
  };
  Mismatch load_state_dict(const StateDict& state, bool strict = true);

  // Converts every parameter and floating buffer. Handles taken before keep the old values.
  void to(DType dtype);
  // The same for where they are.
  void to(Device device);
  void zero_grad();
  void set_requires_grad(bool value);

 protected:
  // Parameters require gradients from here on. Returns the tensor registered.
  Tensor& register_parameter(const std::string& name, Tensor& parameter);
  Tensor& register_buffer(const std::string& name, Tensor& buffer);
  void register_module(const std::string& name, Module& child);

 private:
  template <class Visit>
  void visit(const std::string& prefix, bool buffers, const Visit& each) const;
  template <class Convert>
  void replace(const Convert& convert);

  // Tensor is a handle, but `to(dtype)` must replace the member itself: hence pointers to members.
  std::vector<std::pair<std::string, Tensor*>> parameters_, buffers_;
  std::vector<std::pair<std::string, Module*>> children_;
};

}  // namespace mini::nn
