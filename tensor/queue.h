// Exchange of values between host and device. A GPU works through a queue of kernels while the host
// goes on; HostCopy and from_host wait for no more of that queue than they need. On the CPU
// everything happens at once. Both also work in a step that is captured and replayed
// (tensor/graph.h).
#pragma once

#include <functional>
#include <memory>

#include "tensor/tensor.h"

namespace mini {

// Waits until the device has done everything queued so far.
void synchronize(Device device);

// A copy, on the host, of a tensor's values at this point of the device's queue.
class HostCopy {
 public:
  HostCopy() = default;
  explicit HostCopy(const Tensor& x);  // begins the copy
  // Waits for the copy, but for nothing queued later. The result is valid as long as this HostCopy
  // or a copy of it lives; in a replayed step, until the next replay.
  const Tensor& wait() const;

  // A copy in progress.
  class Transfer {
   public:
    virtual ~Transfer() = default;
    virtual const Tensor& wait() const = 0;
  };

 private:
  std::shared_ptr<const Transfer> transfer_;
};

// A tensor on `device` whose values `make` writes: it gets a contiguous tensor of that shape and
// dtype on the host. The host calls `make` at once, while the device may still be busy with earlier
// kernels.
Tensor from_host(const Shape& shape, DType dtype, Device device,
                 const std::function<void(const Tensor& values)>& make);

}  // namespace mini
