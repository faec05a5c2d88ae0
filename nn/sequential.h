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

  Tensor operator()(const Tensor& x) const override {
    Tensor y = x;
    for (const auto& layer : layers_) y = (*layer)(y);
    return y;
  }

  // For networks that need what lies between the layers.
  std::size_t size() const { return layers_.size(); }
  const Layer& operator[](std::size_t i) const { return *layers_[i]; }

 private:
  std::vector<std::unique_ptr<Layer>> layers_;
};

}  // namespace mini::nn
