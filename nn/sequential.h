// Sequential: layers one after the other, named by their numbers "0", "1", ... as PyTorch names
// them. Layers without parameters take a number, too.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "nn/module.h"

namespace mini::nn {

class Sequential : public Layer {
 public:
  // Makes a layer of type L from `arguments` and appends it.
  template <class L, class... Arguments>
  L& append(Arguments&&... arguments) {
    auto layer = std::make_unique<L>(std::forward<Arguments>(arguments)...);
    L& result = *layer;
    register_module(std::to_string(layers_.size()), result);
    layers_.push_back(std::move(layer));
    return result;
  }

  Tensor operator()(const Tensor& x) const override;
  std::unique_ptr<RowLayer> rows(const Shape& input, DType dtype) const override;

  std::size_t size() const { return layers_.size(); }
  // Layer i alone, for networks that need what lies between the layers.
  Tensor apply(std::size_t i, const Tensor& x) const;
  std::unique_ptr<RowLayer> rows_of(std::size_t i, const Shape& input, DType dtype) const;

  // For the gradient, keeps only what each layer reads (nn/checkpointed.h).
  void checkpoint_layers(bool on) { checkpoints_layers_ = on; }

 private:
  std::vector<std::unique_ptr<Layer>> layers_;
  bool checkpoints_layers_ = false;
};

}  // namespace mini::nn
