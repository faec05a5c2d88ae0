// Module: a tree of named parameters and buffers. Names are PyTorch's
// ("down_operations.0.F.conv1.weight"), so its state dicts load unchanged.
//
// A module holds its tensors and child modules as members and registers each by reference, under
// its name:
//   struct Linear : Module {
//     Tensor weight, bias;
//     Linear(...) { register_parameter("weight", weight = ...); register_parameter("bias", bias =
//     ...); }
//   };
#pragma once

#include <map>
#include <memory>
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
  // Children and tensors are registered by address, so a module cannot be moved or copied.
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  // In the order of registration, depth first.
  std::vector<NamedTensor> named_parameters() const;
  std::vector<NamedTensor> named_buffers() const;
  Tensors parameters() const;
  std::int64_t parameter_count() const;  // number of elements of all parameters

  // All parameters and buffers; the tensors share their values with the module.
  StateDict state_dict() const;
  // Copies the values of `state` into the parameters and buffers, and converts the dtype. Throws
  // before any change if a shape is wrong. If strict, it also throws if a name is missing or
  // unexpected; the error names the first few. Otherwise it returns these names.
  struct Mismatch {
    std::vector<std::string> missing, unexpected;
  };
  Mismatch load_state_dict(const StateDict& state, bool strict = true);

  // The state dict of such a module by the names of this one, where other projects spell them in
  // another way (nn/key_table.h).
  virtual StateDict translate(const StateDict& state) const { return state; }

  // Converts every parameter and floating buffer. Tensors obtained earlier keep the old values.
  void to(DType dtype);
  // Moves every parameter and buffer to `device`; as above, earlier tensors keep the old values.
  void to(Device device);
  void zero_grad();
  void set_requires_grad(bool value);
  // Whether layers that behave differently while training (BatchNorm) do so; initially true.
  void set_training(bool training);
  bool training() const { return training_; }

 protected:
  // From now on the parameter requires a gradient. Returns the registered tensor.
  Tensor& register_parameter(const std::string& name, Tensor& parameter);
  Tensor& register_buffer(const std::string& name, Tensor& buffer);
  void register_module(const std::string& name, Module& child);

 private:
  template <class Visit>
  void visit(const std::string& prefix, bool buffers, const Visit& each) const;
  template <class Convert>
  void replace(const Convert& convert);

  // A Tensor is a handle, but `to` must replace the member itself; so these point to the members.
  std::vector<std::pair<std::string, Tensor*>> parameters_, buffers_;
  std::vector<std::pair<std::string, Module*>> children_;
  bool training_ = true;
};

class RowLayer;

// A module from one tensor to one tensor.
class Layer : public Module {
 public:
  virtual Tensor operator()(const Tensor& x) const = 0;
  // The same for an image of the shape `input` that comes row by row (nn/rows.h). Null: the layer
  // needs the whole image. The layer must outlive the result.
  virtual std::unique_ptr<RowLayer> rows(const Shape& input, DType dtype) const;
};

}  // namespace mini::nn
