#include "nn/sequential.h"

#include "autograd/node.h"
#include "nn/checkpointed.h"
#include "nn/rows.h"

namespace mini::nn {

Tensor Sequential::operator()(const Tensor& x) const {
  Tensor y = x;
  for (std::size_t i = 0; i < layers_.size(); ++i) y = apply(i, y);
  return y;
}

std::unique_ptr<RowLayer> Sequential::rows(const Shape& input, DType dtype) const {
  RowChain chain(input, dtype);
  for (const auto& layer : layers_) chain.add(layer->rows(chain.shape(), dtype));
  return chain.take();
}

std::unique_ptr<RowLayer> Sequential::rows_of(std::size_t i, const Shape& input,
                                              DType dtype) const {
  return layers_[i]->rows(input, dtype);
}

Tensor Sequential::apply(std::size_t i, const Tensor& x) const {
  const Layer& layer = *layers_[i];
  if (!checkpoints_layers_ || !grad_enabled()) return layer(x);
  return checkpointed(layer, {x}, [&layer](const Tensors& in) { return Tensors{layer(in[0])}; })[0];
}

}  // namespace mini::nn
