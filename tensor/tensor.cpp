#include "tensor/tensor.h"

#include <array>
#include <cstring>

#include "tensor/view.h"

namespace mini {
namespace {

// Whether the dimensions, in the order of their strides, fill memory without gaps.
bool tiles_memory(const Shape& shape, const Shape& strides) {
  std::int64_t expected = 1;
  for (const int dim : memory_order(shape, strides)) {
    if (strides[dim] != expected) return false;
    expected *= shape[dim];
  }
  return true;
}

}  // namespace

Tensor::Tensor(std::shared_ptr<Storage> storage, const Shape& shape, const Shape& strides,
               std::int64_t offset, DType dtype)
    : impl_(std::make_shared<Impl>()) {
  impl_->storage = std::move(storage);
  impl_->shape = shape;
  impl_->strides = strides;
  impl_->offset = offset;
  impl_->numel = shape.numel();
  impl_->dtype = dtype;
}

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  return empty_strided(shape, contiguous_strides(shape), dtype, device);
}

Tensor Tensor::empty_strided(const Shape& shape, const Shape& strides, DType dtype, Device device) {
  std::size_t bytes = 0;
  check(
      !__builtin_mul_overflow(static_cast<std::size_t>(shape.numel()), element_size(dtype), &bytes),
      "tensor: shape ", shape, " of ", dtype, " exceeds the address space");
  check(shape.numel() == 0 || tiles_memory(shape, strides), "tensor: strides ", strides,
        " do not lay out shape ", shape, " densely");
  const Contents contents{shape, dtype};
  return {std::make_shared<Storage>(bytes, device, &contents), shape, strides, 0, dtype};
}

Tensor Tensor::empty_from(Allocator& allocator, const Shape& shape, DType dtype) {
  const Contents contents{shape, dtype};
  const auto bytes = static_cast<std::size_t>(shape.numel()) * element_size(dtype);
  return {std::make_shared<Storage>(bytes, Device{}, allocator, &contents), shape,
          contiguous_strides(shape), 0, dtype};
}

Tensor Tensor::empty_like(const Tensor& like) {
  const Shape strides = like.is_dense() ? like.strides() : contiguous_strides(like.shape());
  return empty_strided(like.shape(), strides, like.dtype(), like.device());
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor result = empty(shape, dtype, device);
  if (device.is_cpu())
    std::memset(result.raw_data(), 0, result.bytes());
  else
    ops::fill(result, 0);
  return result;
}

Tensor Tensor::ones(const Shape& shape, DType dtype, Device device) {
  return full(shape, 1, dtype, device);
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor result = empty(shape, dtype, device);
  ops::fill(result, value);
  return result;
}

Tensor Tensor::arange(std::int64_t count, DType dtype) {
  check(count >= 0, "arange: count ", count, " is negative");
  Tensor result = empty({count}, DType::int64);
  for (std::int64_t i = 0; i < count; ++i) result.data<std::int64_t>()[i] = i;
  return ops::cast(result, dtype);
}

bool Tensor::is_contiguous() const {
  std::int64_t expected = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    if (shape()[i] != 1 && strides()[i] != expected) return numel() == 0;
    expected *= shape()[i];
  }
  return true;
}

bool Tensor::is_dense() const { return numel() == 0 || tiles_memory(shape(), strides()); }

bool Tensor::is_channels_last() const {
  if (rank() != 4) return false;
  constexpr std::array<int, 4> order{0, 2, 3, 1};
  return ops::permute(*this, order).is_contiguous();
}

double Tensor::item() const {
  check(numel() == 1, "item: the tensor has ", numel(), " elements, not one (shape ", shape(), ")");
  return to_vector().front();
}

std::vector<double> Tensor::to_vector() const {
  const Tensor host = ops::contiguous(ops::cast(ops::to_device(*this, {}), DType::float64));
  const double* values = host.data<double>();
  return {values, values + host.numel()};
}

Tensor Tensor::as_strided(const Shape& new_shape, const Shape& new_strides,
                          std::int64_t new_offset) const {
  check(new_shape.rank() == new_strides.rank(), "as_strided: shape ", new_shape, " and strides ",
        new_strides, " differ in rank");
  // The first and the last element of the view must lie inside the storage.
  std::int64_t lowest = new_offset;
  std::int64_t highest = new_offset;
  bool overflow = false;
  for (int i = 0; i < new_shape.rank(); ++i) {
    std::int64_t reach = 0;
    overflow |= __builtin_mul_overflow(new_strides[i], new_shape[i] - 1, &reach);
    std::int64_t& end = reach < 0 ? lowest : highest;
    overflow |= __builtin_add_overflow(end, reach, &end);
  }
  const auto capacity = static_cast<std::int64_t>(storage()->bytes() / element_size(dtype()));
  const bool inside = !overflow && lowest >= 0 && highest < capacity;
  check(new_shape.numel() == 0 || inside, "as_strided: shape ", new_shape, " with strides ",
        new_strides, " at offset ", new_offset, " leaves a storage of ", capacity, " elements");
  return {storage(), new_shape, new_strides, new_offset, dtype()};
}

Tensor Tensor::detach() const { return {storage(), shape(), strides(), offset(), dtype()}; }

}  // namespace mini
