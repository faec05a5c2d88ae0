#include "tensor/queue.h"

#include "tensor/backend.h"
#include "tensor/view.h"

namespace mini {
namespace {

// On the CPU there is nothing to wait for, but the caller may change the tensor meanwhile; so the
// values are copied here, too.
class Done : public HostCopy::Transfer {
 public:
  explicit Done(Tensor values) : values_(std::move(values)) {}
  const Tensor& wait() const override { return values_; }

 private:
  Tensor values_;
};

std::shared_ptr<const HostCopy::Transfer> begin(const Tensor& x) {
  if (x.device().is_cpu()) return std::make_shared<Done>(ops::clone(x));
#ifdef MINI_CUDA
  return cuda::copy_to_host(x);
#else
  fail_without_cuda();
#endif
}

}  // namespace

HostCopy::HostCopy(const Tensor& x) : transfer_(begin(x)) {}

const Tensor& HostCopy::wait() const {
  check(transfer_ != nullptr, "host copy: it has no values; construct it from a tensor");
  return transfer_->wait();
}

void synchronize([[maybe_unused]] Device device) {
#ifdef MINI_CUDA
  if (device.is_cuda()) cuda::wait_for(device);
#endif
}

Tensor from_host(const Shape& shape, DType dtype, Device device,
                 const std::function<void(const Tensor& values)>& make) {
  if (device.is_cpu()) {
    Tensor values = Tensor::empty(shape, dtype);
    make(values);
    return values;
  }
#ifdef MINI_CUDA
  return cuda::from_host(shape, dtype, device, make);
#else
  fail_without_cuda();
#endif
}

}  // namespace mini
