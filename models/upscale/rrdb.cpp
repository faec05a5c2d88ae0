#include "models/upscale/rrdb.h"

#include "autograd/functions.h"
#include "nn/init.h"
#include "tensor/view.h"

namespace mini::models {

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
  for (const DenseBlock* dense : {&dense1_, &dense2_, &dense3_}) y = y + (*dense)(y)*0.2;
  return x + y * 0.2;
}

}  // namespace mini::models
