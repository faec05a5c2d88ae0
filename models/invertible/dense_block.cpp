#include "models/invertible/dense_block.h"

#include "autograd/functions.h"
#include "nn/init.h"
#include "ops/dense_block.h"
#include "tensor/view.h"

namespace mini::models {
namespace {

constexpr Conv2dParams same{.padding = {1, 1}};
constexpr std::int64_t halo = 5;      // one row for each convolution
constexpr std::int64_t row_grid = 2;  // of the tiles in ops/cpu/winograd.h

}  // namespace

DenseBlock::DenseBlock(std::int64_t in, std::int64_t out, std::int64_t growth, Generator& generator,
                       Condition condition)
    : condition_(condition),
      in_(in + (condition == Condition::none ? 0 : 1)),
      conv1_(in_, growth, 3, same),
      conv2_(in_ + growth, growth, 3, same),
      conv3_(in_ + 2 * growth, growth, 3, same),
      conv4_(in_ + 3 * growth, growth, 3, same),
      conv5_(in_ + 4 * growth, out, 3, same) {
  for (nn::Conv2d* conv : {&conv1_, &conv2_, &conv3_, &conv4_})
    ops::copy(nn::xavier_normal(conv->weight.shape(), 0.1, generator), conv->weight);
  register_module("conv1", conv1_);
  register_module("conv2", conv2_);
  register_module("conv3", conv3_);
  register_module("conv4", conv4_);
  register_module("conv5", conv5_);
}

Tensor DenseBlock::operator()(const Tensor& x, const Tensor& condition) const {
  return dense_block(joined(x, condition), weights(),
                     {conv1_.bias, conv2_.bias, conv3_.bias, conv4_.bias, conv5_.bias}, 0.2);
}

// What the convolutions read.
Tensor DenseBlock::joined(const Tensor& x, const Tensor& condition) const {
  if (condition_ == Condition::none) return x;
  check(condition.defined(), "dense_block: this one is told the quality of the codec, and was not");
  return concat({expand(condition, {x.size(0), 1, x.size(2), x.size(3)}), x}, 1);
}

Tensors DenseBlock::weights() const {
  return {conv1_.weight, conv2_.weight, conv3_.weight, conv4_.weight, conv5_.weight};
}

std::size_t DenseBlock::workspace(Shape x, DType dtype) const {
  std::size_t joining = 0;
  if (condition_ != Condition::none) {
    x[1] = in_;
    joining = static_cast<std::size_t>(x.numel()) * element_size(dtype);
  }
  if (dtype == DType::float32) return joining + ops::dense_block_workspace(x, weights());
  // The composition keeps what each convolution reads, and the last feature before and after its
  // activation; what conv2d itself takes is small.
  std::int64_t channels = 0;
  for (const Tensor& w : weights()) channels += w.size(1);
  channels += 2 * conv4_.weight.size(0);
  return joining + static_cast<std::size_t>(x[0] * channels * x[2] * x[3]) * element_size(dtype);
}

nn::RowLayers DenseBlock::rows(const Shape& input, DType dtype) const {
  return std::make_unique<nn::WindowRows>(
      input, dtype, Shape{input[0], conv5_.weight.size(0), input[2], input[3]},
      nn::RowFunction{.function = [this](const Tensor& x) { return (*this)(x); },
                      .halo = halo,
                      .grid = row_grid,
                      .workspace = [this, dtype](const Shape& x) { return workspace(x, dtype); }});
}

Subnet DenseBlock::subnet(const Tensor& condition) const {
  return {[this, condition](const Tensor& x) { return (*this)(x, condition); }, parameters(), halo,
          row_grid, [this](const Shape& x, DType dtype) { return workspace(x, dtype); }};
}

}  // namespace mini::models
