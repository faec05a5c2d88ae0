#include "models/grain/rrdb2.h"

#include "nn/init.h"
#include "tensor/view.h"

namespace mini::models {

Rrdb2::Rrdb2(std::int64_t features, std::int64_t growth, Generator& generator)
    : conv1_(features, growth, 3, nn::same_size(3)),
      conv2_(features + growth, growth, 3, nn::same_size(3)),
      conv3_(features + 2 * growth, growth, 3, nn::same_size(3)),
      conv4_(features + 3 * growth, features, 3, nn::same_size(3)) {
  register_module("RDB1.conv1", conv1_);
  register_module("RDB1.conv2", conv2_);
  register_module("RDB1.conv3", conv3_);
  register_module("RDB1.conv4", conv4_);
  for (nn::Conv2d* conv : {&conv1_, &conv2_, &conv3_, &conv4_})
    ops::copy(nn::kaiming_normal(conv->weight.shape(), 0.1, generator), conv->weight);
}

Tensor Rrdb2::operator()(const Tensor& x) const {
  const Tensor dense = dense_block(x, {conv1_.weight, conv2_.weight, conv3_.weight, conv4_.weight},
                                   {conv1_.bias, conv2_.bias, conv3_.bias, conv4_.bias}, 0.2);
  return x + (x + dense * 0.2) * 0.2;
}

}  // namespace mini::models
