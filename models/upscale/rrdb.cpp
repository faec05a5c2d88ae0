#include "models/upscale/rrdb.h"

#include "autograd/functions.h"
#include "nn/init.h"
#include "tensor/view.h"

namespace mini::models {

namespace {

Tensor joined(const Tensor& x, const Tensor& y) { return x + y * 0.2; }

}  // namespace

Rrdb::Rrdb(std::int64_t features, std::int64_t growth, Generator& generator,
           const std::string& name)
    : dense1_(features, features, growth, generator),
      dense2_(features, features, growth, generator),
      dense3_(features, features, growth, generator) {
  register_module(name + "1", dense1_);
  register_module(name + "2", dense2_);
  register_module(name + "3", dense3_);
  for (const Tensor& parameter : parameters())
    if (parameter.rank() == 4)
      ops::copy(nn::kaiming_normal(parameter.shape(), 0.1, generator), parameter);
}

Tensor Rrdb::operator()(const Tensor& x) const {
  Tensor y = x;
  for (const DenseBlock* dense : {&dense1_, &dense2_, &dense3_}) y = joined(y, (*dense)(y));
  return joined(x, y);
}

std::unique_ptr<nn::RowLayer> Rrdb::rows(const Shape& input, DType dtype) const {
  nn::RowChain inner(input, dtype);
  for (const DenseBlock* dense : {&dense1_, &dense2_, &dense3_})
    inner.add(nn::skip_rows(input, dense->rows(input, dtype), input[1], joined));
  return nn::skip_rows(input, inner.take(), input[1], joined);
}

}  // namespace mini::models
