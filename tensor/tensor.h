// Tensor: a handle to a strided view of shared storage.
//
// Copying a Tensor copies the handle. The logical order is row-major (images are N,C,H,W); the
// strides give the memory order, for instance channels-last. Two families of functions work on
// tensors, and a namespace tells them apart:
//   mini::ops::f   computes values and records nothing (tensor/view.h, ops/*.h);
//   mini::f        is differentiable (autograd/functions.h).
// Read next: tensor/view.h, then autograd/node.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/allocator.h"
#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/error.h"
#include "tensor/shape.h"

namespace mini {

struct AutogradMeta;  // autograd/node.h

// Owns a block of memory. It comes from the device's allocator, or from another one whose memory
// the device can use (pinned host memory).
class Storage {
 public:
  Storage(std::size_t bytes, Device device, const Contents* contents = nullptr)
      : Storage(bytes, device, allocator(device), contents) {}
  Storage(std::size_t bytes, Device device, Allocator& from, const Contents* contents = nullptr)
      : device_(device),
        allocator_(from),
        block_(allocator_.allocate(bytes, contents)),
        bytes_(bytes) {}
  ~Storage() { allocator_.release(block_); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() const { return static_cast<std::byte*>(block_.data); }
  // The size requested; the block may be larger, but only these bytes are used.
  std::size_t bytes() const { return bytes_; }
  // The size of the block, as the allocator counts it.
  std::size_t block_bytes() const { return block_.bytes; }
  Device device() const { return device_; }

 private:
  Device device_;
  Allocator& allocator_;
  Block block_;
  std::size_t bytes_;
};

class Tensor {
 public:
  Tensor() = default;  // undefined: only defined() may be called

  // Creation. `empty` and the other `empty_` functions leave the elements uninitialised.
  static Tensor empty(const Shape& shape, DType dtype = DType::float32, Device device = {});
  static Tensor zeros(const Shape& shape, DType dtype = DType::float32, Device device = {});
  static Tensor ones(const Shape& shape, DType dtype = DType::float32, Device device = {});
  static Tensor full(const Shape& shape, double value, DType dtype = DType::float32,
                     Device device = {});
  static Tensor scalar(double value, DType dtype = DType::float32) {
    return full({}, value, dtype);
  }
  static Tensor arange(std::int64_t count, DType dtype = DType::int64);  // 0, 1, ..., count-1
  // The shape, dtype, device and (if `like` is dense) memory order of `like`.
  static Tensor empty_like(const Tensor& like);
  static Tensor empty_strided(const Shape& shape, const Shape& strides, DType dtype, Device device);
  // A contiguous tensor on the host, in memory of this allocator.
  static Tensor empty_from(Allocator& allocator, const Shape& shape, DType dtype);
  // `values` are in row-major order; their number must be shape.numel().
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape);
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const { return impl().shape; }
  const Shape& strides() const { return impl().strides; }  // in elements
  int rank() const { return impl().shape.rank(); }
  std::int64_t size(int dim) const { return shape()[normalize_dim(dim, rank(), "size")]; }
  std::int64_t numel() const { return impl().numel; }
  DType dtype() const { return impl().dtype; }
  Device device() const { return impl().storage->device(); }
  std::size_t bytes() const { return static_cast<std::size_t>(numel()) * element_size(dtype()); }

  // Row-major, without gaps.
  bool is_contiguous() const;
  // Row-major without gaps after some permutation of the dimensions.
  bool is_dense() const;
  bool is_channels_last() const;  // rank 4, dense in N,H,W,C order

  // Pointer to the first element. data<T>() throws unless T is the tensor's dtype.
  template <class T>
  T* data() const {
    check(dtype() == dtype_of<T>(), "tensor: holds ", dtype(), ", accessed as ", dtype_of<T>());
    return reinterpret_cast<T*>(raw_data());
  }
  std::byte* raw_data() const {
    return impl().storage->data() + static_cast<std::size_t>(impl().offset) * element_size(dtype());
  }
  std::int64_t offset() const { return impl().offset; }
  const std::shared_ptr<Storage>& storage() const { return impl().storage; }

  // The value of a tensor of one element.
  double item() const;
  // All elements, in row-major order. For tests and printing.
  std::vector<double> to_vector() const;

  // Another view of the same storage (see tensor/view.h for named ones). Not differentiable.
  Tensor as_strided(const Shape& shape, const Shape& strides, std::int64_t offset) const;

  // Gradients. backward() adds to the .grad() of a leaf with requires_grad (autograd/engine.h).
  bool requires_grad() const;
  Tensor& set_requires_grad(bool value = true);
  Tensor grad() const;  // undefined when there is none
  void set_grad(Tensor grad);
  Tensor detach() const;  // the same values, outside the graph
  const std::shared_ptr<AutogradMeta>& autograd() const { return impl().autograd; }
  void set_autograd(std::shared_ptr<AutogradMeta> meta) { impl().autograd = std::move(meta); }

  bool is_same(const Tensor& other) const { return impl_ == other.impl_; }
  // Whether this handle alone can see the values, so that they may be overwritten.
  bool is_unshared() const { return impl_.use_count() == 1 && impl().storage.use_count() == 1; }

 private:
  struct Impl {
    std::shared_ptr<Storage> storage;
    Shape shape, strides;
    std::int64_t offset = 0;  // elements
    std::int64_t numel = 0;
    DType dtype = DType::float32;
    std::shared_ptr<AutogradMeta> autograd;
  };
  Tensor(std::shared_ptr<Storage> storage, const Shape& shape, const Shape& strides,
         std::int64_t offset, DType dtype);
  Impl& impl() const {
    check(impl_ != nullptr, "tensor: used before it was given a value");
    return *impl_;
  }

  std::shared_ptr<Impl> impl_;
};

using Tensors = std::vector<Tensor>;

// Prints shape and dtype, then the values in NumPy's layout; the middle of long dimensions is left
// out.
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  Tensor result = empty(shape, dtype_of<T>());
  check(static_cast<std::int64_t>(values.size()) == result.numel(), "tensor: ", values.size(),
        " values do not fill shape ", shape);
  std::copy(values.begin(), values.end(), result.data<T>());
  return result;
}

}  // namespace mini
